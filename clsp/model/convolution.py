"""Convolution module: what a frame's near neighbours say about it."""

from torch import Tensor, nn

from clsp.model.activations import SWOOSH_R
from clsp.model.config import StackConfig
from clsp.model.depthwise import DepthwiseConv1d
from clsp.model.initialisation import scaled_linear
from clsp.model.machinery import Balancer, Whiten, falling
from clsp.model.recomputed import Linear, SigmoidGate, recomputed


class ConvolutionModule(nn.Module):
    """Gate, depthwise convolution over time, SwooshR, linear, on (N, T, C) (reference 3.15)."""

    def __init__(self, config: StackConfig) -> None:
        super().__init__()
        self.in_proj = nn.Linear(config.encoder_dim, 2 * config.encoder_dim)
        self.gate_balancer = Balancer((falling(0.05, 0.025, 8000), 1.0), (1.5, falling(5.0, 10.0, 8000)))
        self.depthwise_conv = DepthwiseConv1d(config.encoder_dim, config.cnn_module_kernel)
        self.mid_balancer = Balancer((falling(0.1, 0.05, 8000), 1.0), (falling(0.2, 0.5, 20_000), 10.0))
        self.mid_whiten = Whiten(falling(7.5, 15.0, 20_000))
        self.out_proj = scaled_linear(config.encoder_dim, config.encoder_dim, 0.05)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """`mask` (N, T) is True at padding, which the convolution sees as zeros."""
        values, gate = self.in_proj(x).chunk(2, dim=-1)
        conv, gate = self.depthwise_conv, self.gate_balancer(gate)
        mixed = recomputed(SigmoidGate(), conv.used, values, gate, mask[:, :, None], conv.weight, conv.bias)
        mixed = self.mid_whiten(self.mid_balancer(mixed))
        return recomputed(SWOOSH_R, Linear(), mixed, self.out_proj.weight, self.out_proj.bias)
