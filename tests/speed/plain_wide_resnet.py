"""A plain, literal transcription of CNN-F's equations for the wide ResNet: the peer that speed is measured against."""

import torch
import torch.nn.functional as F
from plain_fashion import Relu, ins


class Block:
    """One residual block with its masks and feedbacks at full resolution."""

    def __init__(self, level, rate):
        self.level, self.first, self.second = level, Relu(rate), Relu(rate)

    def forward(self, x):
        """Forward pass."""
        level = self.level
        stride = level.conv1.stride
        activated = self.first.forward(ins(x) + level.bias1[None])
        y = F.conv2d(activated, level.conv1.weight, stride=stride, padding=1)
        y = self.second.forward(ins(y) + level.bias2[None])
        y = F.conv2d(y, level.conv2.weight, padding=1)
        if level.shortcut is None:
            return x + y
        return F.conv2d(activated, level.shortcut.weight, stride=stride) + y

    def feedback(self, g):
        """Feedback pass."""
        level = self.level
        stride = level.conv1.stride
        y = self.second.feedback(ins(F.conv_transpose2d(g, level.conv2.weight, padding=1)))
        y = F.conv_transpose2d(y, level.conv1.weight, stride=stride, padding=1, output_padding=stride - 1)
        y = ins(y)
        if level.shortcut is None:
            return g + self.first.feedback(y)
        shortcut = F.conv_transpose2d(g, level.shortcut.weight, stride=stride, output_padding=stride - 1)
        return self.first.feedback(y + shortcut)


def unroll(model, images, n_steps):
    """Unroll a `neurocnnf` wide ResNet the plain way; (step, image, class)."""
    levels, rate = dict(model.levels), model.feedback_rate
    stem, pool, head = levels.pop("stem"), levels.pop("pool"), levels.pop("logits")
    blocks, relu = [Block(level, rate) for level in levels.values()], Relu(rate)
    # feedback_to 0 is the pixels, k the output of the k-th block
    first = model.feedback_to

    def forward(x, swept):
        kept = x
        if swept or first == 0:
            x = F.conv2d(x, stem.conv.weight, padding=1)
        for i, block in enumerate(blocks):
            if swept or i >= first:
                x = block.forward(x)
            if swept and i + 1 == first:
                kept = x
        x = relu.forward(ins(x) + pool.bias[None])
        return F.linear(F.avg_pool2d(x, 8).flatten(1), head.linear.weight) + head.bias, kept

    def feedback(g):
        g = F.linear(g, head.linear.weight.T)[..., None, None]
        g = relu.feedback(ins(F.interpolate(g, scale_factor=8)))
        for block in reversed(blocks[first:]):
            g = block.feedback(g)
        return F.conv_transpose2d(g, stem.conv.weight, padding=1) if first == 0 else g

    logits, feature = forward(images, True)
    out = [logits]
    for _ in range(n_steps):
        feature = feature + rate * (feedback(logits) - feature)
        logits, _ = forward(feature, False)
        out.append(logits)
    return torch.stack(out)
