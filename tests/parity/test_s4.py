from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="the networks need torch")

from golden import Golden, assert_equal, assert_gradient, renamed

from ohlcv_factory.models.state_space.s4 import S4DBlock

NAMES = {"output_linear.0": "output_linear"}


def test_a_block_its_kernel_and_its_gradients_equal_the_authors_code_with_copied_weights() -> None:
    golden = Golden.read("s4d")
    block = S4DBlock(golden.config["d_model"], golden.config["d_state"], dropout=0.0).eval()
    block.load_state_dict(
        {name: value.view_as(block.state_dict()[name]) for name, value in renamed(golden.state(), NAMES).items()}
    )
    assert_equal(block.kernel(golden.config["L"]), golden.output("kernel"))
    x = golden.input().requires_grad_()
    y = block(x.transpose(1, 2)).transpose(1, 2)
    assert_equal(y, golden.output())
    (y * golden.input("probe")).sum().backward()
    assert_gradient(x.grad, golden.arrays["grad_input/x"])
    references = renamed(golden.state("grad_param"), NAMES)
    assert set(references) == set(block.state_dict())
    for name, parameter in block.named_parameters():
        assert_gradient(parameter.grad, references[name].view_as(parameter))
