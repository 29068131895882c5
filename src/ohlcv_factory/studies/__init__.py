"""Many runs, one thing learned."""
