"""A plain, literal transcription of the paper's adversarial training step: the peer that ours is measured against."""

import plain_fashion
import torch
import torch.nn.functional as F


def attack(model, images, labels, recipe, generator):
    """PGD on the cross-entropy of the feedforward sweep, from a random start."""
    low = (images - recipe.attack.epsilon).clamp(min=-1)
    high = (images + recipe.attack.epsilon).clamp(max=1)
    noise = torch.rand(images.shape, generator=generator).to(images)
    x = torch.clamp(images + recipe.attack.epsilon * (noise * 2 - 1), low, high)
    for _ in range(recipe.attack.n_attack_steps):
        x = x.detach().requires_grad_()
        logits, _ = plain_fashion.Plain(model).forward(x, 0)
        (gradient,) = torch.autograd.grad(F.cross_entropy(logits, labels), x)
        x = torch.clamp(x + recipe.attack.step_size * gradient.sign(), low, high)
    return x.detach()


def train_batch(model, optimiser, recipe, images, labels, generator):
    """Take one optimiser step on clean and attacked images; return the loss.

    λ CE(clean) + CE(attacked), mean over steps, halved; and at each end of a block and where feedback ends, the mean
    squared error of what feedback says of attacked images and what the sweep said of clean ones.
    """
    n = len(images)
    both = torch.cat([images, attack(model, images, labels, recipe, generator)])
    plain, rate = plain_fashion.Plain(model, keep=True), model.feedback_rate
    logits, feature = plain.forward(both, 0)
    clean = [output[:n].detach() for output in plain.outputs]
    answers, said = [logits], []
    for _ in range(recipe.n_steps):
        feature = feature + rate * (plain.feedback(logits) - feature)
        said.append(plain.predictions)
        logits, _ = plain.forward(feature, plain.first)
        answers.append(logits)
    loss = sum(
        recipe.clean_weight * F.cross_entropy(step[:n], labels) + F.cross_entropy(step[n:], labels) for step in answers
    ) / (2 * len(answers))
    errors = [F.mse_loss(p[n:], c) for step in said for p, c in zip(step, clean, strict=True)]
    loss = loss + recipe.reconstruction_weight * sum(errors) / len(errors)
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
    optimiser.step()
    return loss.item()
