"""The towers and losses in plain eager PyTorch: the same weights and mathematics, nothing fused, reordered or tiled."""

import copy
from types import MethodType

import torch
from torch.nn.functional import conv1d, cross_entropy, softplus

from clsp.model import DualEncoder
from clsp.model.attention import MASKED_SCORE, AttentionWeights
from clsp.model.convolution import ConvolutionModule
from clsp.model.depthwise import DepthwiseConv1d
from clsp.model.feedforward import FeedForward
from clsp.model.frontend import ConvNeXt, Frontend, embedded_lengths
from clsp.model.masking import padding_mask
from clsp.model.norm import BiasNorm


def eager_towers(model: DualEncoder) -> DualEncoder:
    """A copy of ``model`` whose modules compute as one would write them down."""
    return make_eager(copy.deepcopy(model))


def make_eager(model: DualEncoder) -> DualEncoder:
    """``model`` itself, computing plainly from now on."""
    for module in model.modules():
        if type(module) in FORWARDS:
            module.forward = MethodType(FORWARDS[type(module)], module)
    return model


def eager_info_nce(audio, text, scale):
    """The whole similarity matrix, once each way."""
    logits, targets = scale * audio @ text.T, torch.arange(len(audio))
    return (cross_entropy(logits, targets) + cross_entropy(logits.T, targets)) / 2


def swoosh_l(x):
    return softplus(x - 4.0) - 0.08 * x - 0.035


def swoosh_r(x):
    return softplus(x - 1.0) - 0.08 * x - 0.313261687


def bias_norm(self, x):
    return x * ((x - self.bias) ** 2).mean(dim=-1, keepdim=True) ** -0.5 * self.log_scale.exp()


def feed_forward(self, x):
    return self.out_proj(self.dropout(swoosh_l(self.in_proj(x))))


def depthwise(self, x):
    return conv1d(
        x.transpose(1, 2), self.weight, self.bias, padding=self.kernel_size[0] // 2, groups=self.groups
    ).transpose(1, 2)


def convolution(self, x, mask):
    values, gate = self.in_proj(x).chunk(2, dim=-1)
    gated = (values * torch.sigmoid(gate)).masked_fill(mask[:, :, None], 0.0)
    return self.out_proj(swoosh_r(self.depthwise_conv(gated)))


def attention_weights(self, x, positions, mask):
    clips, frames, _ = x.shape
    sizes = [self.heads * size for size in self.sizes]
    query, key, position_query = (
        part.reshape(clips, frames, self.heads, -1).permute(2, 0, 1, 3) for part in self.in_proj(x).split(sizes, dim=-1)
    )
    codes = self.linear_pos(positions).reshape(2 * frames - 1, self.heads, -1).permute(1, 2, 0)
    by_offset = torch.matmul(position_query, codes[:, None])
    strides = by_offset.stride()
    by_pair = by_offset.as_strided(
        (self.heads, clips, frames, frames),
        (strides[0], strides[1], strides[2] - strides[3], strides[3]),
        storage_offset=strides[3] * (frames - 1),
    )
    scores = torch.matmul(query, key.transpose(2, 3)) + by_pair
    scores = scores.masked_fill(mask[None, :, None, :], MASKED_SCORE)
    return scores.softmax(dim=-1).transpose(0, 1)


def frontend(self, features, frame_lengths):
    x = features.unsqueeze(1)
    for conv in self.conv.values():
        x = swoosh_r(conv(x))
    lengths = embedded_lengths(frame_lengths)
    if self.masks_padding:
        x = x.masked_fill(padding_mask(lengths, x.shape[2])[:, None, :, None], 0.0)
    x = self.convnext(x)
    clips, channels, frames, columns = x.shape
    x = self.out(x.transpose(1, 2).reshape(clips, frames, channels * columns))
    return self.dropout(self.out_norm(x)), lengths


def convnext(self, x):
    return x + self.skip(self.pointwise_conv2(swoosh_l(self.pointwise_conv1(self.depthwise_conv(x)))))


FORWARDS = {
    BiasNorm: bias_norm,
    FeedForward: feed_forward,
    DepthwiseConv1d: depthwise,
    ConvolutionModule: convolution,
    AttentionWeights: attention_weights,
    Frontend: frontend,
    ConvNeXt: convnext,
}
