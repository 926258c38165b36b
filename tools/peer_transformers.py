"""Transformers of PyTorch for tools/bench_peers.py: its own nn.Transformer, and blocks written on its fused attention."""

import dataclasses
import json
import math

import torch
from torch import nn
from torch.nn import functional


@dataclasses.dataclass
class Case:
    """What bench_training_step --dump wrote."""

    tensors: dict
    training: dict
    model: dict
    label_smoothing: float

    @property
    def losses(self):
        return self.tensors["loss"].tolist()

    @property
    def rates(self):
        return self.tensors["learning_rate"].tolist()

    def batch(self, index):
        return [self.tensors[f"batch.{index}.{part}"] for part in ("source", "target_input", "target_output")]


def load_case(file):
    import safetensors  # whoever only takes steps needs it not

    with safetensors.safe_open(file, framework="pt") as content:
        metadata = content.metadata()
        tensors = {name: content.get_tensor(name) for name in content.keys()}
    return Case(tensors, json.loads(metadata["training"]), json.loads(metadata["model"]), float(metadata["label_smoothing"]))


def positions(length, width):
    """Sines and cosines side by side (Vaswani et al. 2017, section 3.5)."""
    angle = torch.arange(length)[:, None] * torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
    return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)


class BuiltInTransformer(nn.Module):
    def __init__(self, vocabulary, width, ffn, heads, layers, dropout):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.transformer = nn.Transformer(width, heads, layers, layers, ffn, dropout, batch_first=True, norm_first=True)
        self.scale = math.sqrt(width)

    def embed(self, ids):
        x = self.embedding(ids) * self.scale
        return self.dropout(x + positions(ids.size(1), x.size(2)))

    def forward(self, source, target):
        mask = nn.Transformer.generate_square_subsequent_mask(target.size(1))
        state = self.transformer(self.embed(source), self.embed(target), tgt_mask=mask, tgt_is_causal=True)
        return functional.linear(state, self.embedding.weight)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.input, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def split(self, x):
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)

    def forward(self, x, memory=None, causal=False):
        if memory is None:
            query, key, value = self.input(x).chunk(3, 2)
        else:
            width = x.size(2)
            query = functional.linear(x, self.input.weight[:width], self.input.bias[:width])
            key, value = functional.linear(memory, self.input.weight[width:], self.input.bias[width:]).chunk(2, 2)
        attended = functional.scaled_dot_product_attention(self.split(query), self.split(key), self.split(value),
                                                           is_causal=causal)
        return self.output(attended.transpose(1, 2).flatten(2))


class Block(nn.Module):
    def __init__(self, width, ffn, heads, dropout, is_decoder):
        super().__init__()
        self.self_attention, self.self_norm = Attention(width, heads), nn.LayerNorm(width)
        if is_decoder:
            self.cross_attention, self.cross_norm = Attention(width, heads), nn.LayerNorm(width)
        self.ffn_norm, self.w1, self.w2 = nn.LayerNorm(width), nn.Linear(width, ffn), nn.Linear(ffn, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x, memory=None):
        x = x + self.dropout(self.self_attention(self.self_norm(x), causal=memory is not None))
        if memory is not None:
            x = x + self.dropout(self.cross_attention(self.cross_norm(x), memory))
        return x + self.dropout(self.w2(functional.relu(self.w1(self.ffn_norm(x)))))


class OwnBlocks(nn.Module):
    """Our model's architecture."""

    def __init__(self, vocabulary, width, ffn, heads, layers, dropout):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.dropout = nn.Dropout(dropout)
        self.encoder = nn.ModuleList(Block(width, ffn, heads, dropout, False) for _ in range(layers))
        self.decoder = nn.ModuleList(Block(width, ffn, heads, dropout, True) for _ in range(layers))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.scale = math.sqrt(width)

    @classmethod
    def from_case(cls, case):
        """With the weights of a dump, whose MoE layers are dense: one expert each."""
        weights = {name.removeprefix("model."): tensor for name, tensor in case.tensors.items() if name.startswith("model.")}
        vocabulary, width = weights["embedding"].shape
        ffn = weights["encoder_0.ffn_w1"].size(0)
        model = cls(vocabulary, width, ffn, case.model["heads"], case.model["layers"], 0.0)
        taken = set()

        def copy(parameter, name):
            taken.add(name)
            with torch.no_grad():
                parameter.copy_(weights[name].reshape(parameter.shape))

        def copy_linear(layer, weight, bias):
            copy(layer.weight, weight)
            copy(layer.bias, bias)

        copy(model.embedding.weight, "embedding")
        for stack in ("encoder", "decoder"):
            copy_linear(getattr(model, f"{stack}_norm"), f"{stack}_norm.weight", f"{stack}_norm.bias")
            for i, block in enumerate(getattr(model, stack)):
                at = f"{stack}_{i}."
                for part in ("self", "cross"):
                    if not hasattr(block, f"{part}_attention"):
                        continue
                    attention = getattr(block, f"{part}_attention")
                    copy_linear(attention.input, f"{at}{part}_attention.input_weight", f"{at}{part}_attention.input_bias")
                    copy_linear(attention.output, f"{at}{part}_attention.output_weight",
                                f"{at}{part}_attention.output_bias")
                    copy_linear(getattr(block, f"{part}_norm"), f"{at}{part}_norm.weight", f"{at}{part}_norm.bias")
                copy_linear(block.ffn_norm, f"{at}ffn_norm.weight", f"{at}ffn_norm.bias")
                dot = "_" if f"{at}ffn_w1" in weights else "."
                copy_linear(block.w1, f"{at}ffn{dot}w1", f"{at}ffn{dot}b1")
                copy_linear(block.w2, f"{at}ffn{dot}w2", f"{at}ffn{dot}b2")
        left = set(weights) - taken
        assert not left, f"weights that no part takes: {left}"
        return model

    def embed(self, ids):
        x = self.embedding(ids) * self.scale
        return self.dropout(x + positions(ids.size(1), x.size(2)))

    def forward(self, source, target):
        memory = self.embed(source)
        for block in self.encoder:
            memory = block(memory)
        memory = self.encoder_norm(memory)
        x = self.embed(target)
        for block in self.decoder:
            x = block(x, memory)
        return functional.linear(self.decoder_norm(x), self.embedding.weight)


class Updates:
    """A model in training as ours is trained: AdamW, clipping, label smoothing over the wrong words."""

    def __init__(self, model, training, label_smoothing, precision="fp32", is_compiled=False, device="cpu"):
        self.model = model
        self.device = device
        self.forward = torch.compile(model) if is_compiled else model
        self.label_smoothing = label_smoothing
        self.is_bf16 = precision == "bf16"
        self.clip = training.get("clip_norm", 1.0)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), betas=(training.get("adam_beta1", 0.9), training.get("adam_beta2", 0.98)),
            eps=training.get("adam_epsilon", 1e-8), weight_decay=training.get("weight_decay", 0), fused=True)

    def update(self, source, target_input, target_output, rate):
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        with torch.autocast(self.device, torch.bfloat16, enabled=self.is_bf16):
            logits = self.forward(source, target_input).flatten(0, 1)
        # PyTorch spreads eps over all V words; eps V / (V - 1) of that is eps over the V - 1 wrong ones.
        vocabulary = logits.size(1)
        loss = functional.cross_entropy(logits.float(), target_output.flatten(),
                                        label_smoothing=self.label_smoothing * vocabulary / (vocabulary - 1))
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimizer.step()
        return loss.item()
