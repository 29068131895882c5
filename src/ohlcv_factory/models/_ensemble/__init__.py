"""What the ensembles share: the table of member probabilities, features made of it, a linear meta-learner."""
