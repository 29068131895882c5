from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, assert_gradient

from ohlcv_factory.models.state_space.mamba import Mamba2Mixer, MambaConfig, MambaEncoder, MambaMixer


@pytest.mark.parametrize("case", ["mamba_block", "mamba_block_large_dt"])
def test_a_block_and_its_gradients_equal_transformers_with_copied_weights(case: str) -> None:
    golden = Golden.read(case)
    block = MambaMixer(
        *(golden.config[name] for name in ("hidden_size", "state_size", "conv_kernel", "expand", "time_step_rank"))
    )
    block.load_state_dict(golden.state())
    x = golden.input().requires_grad_()
    y = block(x)
    assert_equal(y, golden.output())
    (y * golden.input("probe")).sum().backward()
    assert_gradient(x.grad, golden.arrays["grad_input/x"])
    references = golden.state("grad_param")
    assert set(references) == set(block.state_dict())
    for name, parameter in block.named_parameters():
        assert_gradient(parameter.grad, references[name])


def test_the_stack_equals_transformers_with_copied_weights() -> None:
    golden = Golden.read("mamba_model")
    sizes = {"hidden_size": "d_model", "state_size": "d_state", "conv_kernel": "d_conv", "expand": "expand"}
    config = {ours: golden.config[theirs] for theirs, ours in sizes.items()}
    encoder = MambaEncoder(MambaConfig(**config, n_layers=golden.config["num_hidden_layers"]), features=1).eval()
    missing, unexpected = encoder.load_state_dict(golden.state(), strict=False)
    assert (missing, unexpected) == (["embedding.weight", "embedding.bias"], [])
    assert_equal(encoder.stack(golden.input()), golden.output())


def test_a_block_of_mamba2_equals_transformers_where_that_is_installed() -> None:
    modeling = pytest.importorskip("transformers.models.mamba2.modeling_mamba2", reason="the reference is transformers")
    from transformers import Mamba2Config

    sizes = {"hidden_size": 32, "state_size": 16, "conv_kernel": 4, "expand": 4, "num_heads": 2, "head_dim": 64}
    torch.manual_seed(0)
    reference = modeling.Mamba2Mixer(Mamba2Config(**sizes, n_groups=1, chunk_size=8, num_hidden_layers=1), 0).eval()
    block = Mamba2Mixer(width=32, state=16, kernel=4, expand=4)
    block.load_state_dict(
        {name: value + 0.1 * torch.randn_like(value) for name, value in reference.state_dict().items()}
    )
    reference.load_state_dict(block.state_dict())
    x = torch.randn(3, 37, 32)
    assert_equal(block(x), reference(x))
