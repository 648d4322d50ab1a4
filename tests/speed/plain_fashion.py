"""A plain, literal transcription of CNN-F's equations for the Fashion stack: the peer that speed is measured against.

Two max-pools, full-resolution masks, channels first, every image of the batch at once.
"""

import torch
import torch.nn.functional as F


def ins(x):
    """InsNorm."""
    return x / torch.sqrt(torch.mean(x**2, dim=(2, 3), keepdim=True) + 1e-8)


class Relu:
    """AdaReLU with its residual update; remembers mask and feedback at full resolution."""

    def __init__(self, rate):
        self.rate, self.hidden, self.mask = rate, None, None

    def forward(self, x):
        """Gate the pre-activation."""
        if self.hidden is None:
            self.mask = (x > 0).float()
        else:
            x = x + self.rate * (self.hidden - x)
            self.mask = (x * self.hidden > 0).float()
        return x * self.mask

    def feedback(self, g):
        """Remember the feedback and gate it."""
        self.hidden = g
        return g * self.mask


class Pool:
    """AdaPool: a max-pool and a min-pool, chosen by the feedback's sign."""

    def __init__(self):
        self.hidden = self.positive = self.negative = self.max_at = self.min_at = self.size = None

    def forward(self, x):
        """Pool by the sign of the last feedback."""
        self.size = x.shape
        high, self.max_at = F.max_pool2d(x, 2, return_indices=True)
        if self.hidden is None:
            return high
        low, self.min_at = F.max_pool2d(-x, 2, return_indices=True)
        self.positive, self.negative = (self.hidden > 0).float(), (self.hidden < 0).float()
        return self.positive * high - self.negative * low

    def feedback(self, g):
        """Put the feedback back."""
        self.hidden = g
        if self.positive is None:
            return F.max_unpool2d(g, self.max_at, 2, output_size=self.size)
        high = F.max_unpool2d(g * self.positive, self.max_at, 2, output_size=self.size)
        return high + F.max_unpool2d(g * self.negative, self.min_at, 2, output_size=self.size)


class Plain:
    """The Fashion stack with its states in the modules, as a first reading of the equations gives it."""

    def __init__(self, model, keep=False):
        self.keep = keep
        self.first, self.levels = model.feedback_to, list(model.levels.values())
        self.relu = [Relu(model.feedback_rate) for _ in range(6)]
        self.pool = {2: Pool(), 3: Pool()}
        self.outputs, self.predictions = [], []  # kept: at the ends of levels first - 1, first … 3

    def forward(self, x, start):
        """Run levels `start` … upward; return the logits and what level `first` was given."""
        kept, self.outputs = x, []
        for i in range(start, 4):
            if i == self.first:
                kept = x
            if self.keep and i >= self.first:
                self.outputs.append(x)
            x = ins(F.conv2d(x, self.levels[i].conv.weight, padding=1)) + self.levels[i].bias[None]
            x = self.relu[i].forward(x)
            if i in self.pool:
                x = self.pool[i].forward(x)
        if self.keep:
            self.outputs.append(x)
        x = x.reshape(len(x), -1)
        for i in (4, 5):
            x = self.relu[i].forward(F.linear(x, self.levels[i].linear.weight) + self.levels[i].bias)
        return F.linear(x, self.levels[6].linear.weight) + self.levels[6].bias, kept

    def feedback(self, g):
        """Run the levels above what is reconstructed downward."""
        g = F.linear(g, self.levels[6].linear.weight.T)
        for i in (5, 4):
            g = F.linear(self.relu[i].feedback(g), self.levels[i].linear.weight.T)
        side = self.pool[3].size[-1] // 2
        g = g.reshape(len(g), -1, side, side)
        self.predictions = [g] if self.keep else []
        for i in range(3, self.first - 1, -1):
            g = ins(g)
            if i in self.pool:
                g = self.pool[i].feedback(g)
            g = F.conv_transpose2d(self.relu[i].feedback(g), self.levels[i].conv.weight, padding=1)
            if self.keep:
                self.predictions.insert(0, g)
        return g


def unroll(model, images, n_steps):
    """Unroll a `neurocnnf` fashion model the plain way; (step, image, class)."""
    plain, rate = Plain(model), model.feedback_rate
    logits, feature = plain.forward(images, 0)
    out = [logits]
    for _ in range(n_steps):
        feature = feature + rate * (plain.feedback(logits) - feature)
        logits, _ = plain.forward(feature, plain.first)
        out.append(logits)
    return torch.stack(out)
