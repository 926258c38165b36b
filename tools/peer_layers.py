"""MoE layers of others for tools/bench_peers.py: transformers' Switch and NLLB layers, and a layer on the grouped product."""

import torch
from torch import nn
from torch.nn import functional

LAYERS = {"switch": ["HF Switch", "grouped_mm, top-1"], "top_k": ["HF NLLB-MoE", "grouped_mm, top-2"]}


class GroupedLayer(nn.Module):
    """Tokens sorted by expert, and torch's grouped product, as one would write it today."""

    def __init__(self, experts, width, hidden, k):
        super().__init__()
        self.k = k
        self.gate = nn.Linear(width, experts, bias=False)
        self.w1 = nn.Parameter(torch.randn(experts, width, hidden) * width**-0.5)
        self.w2 = nn.Parameter(torch.randn(experts, hidden, width) * hidden**-0.5)

    def forward(self, x):
        tokens = x.flatten(0, 1)
        probability, expert = self.gate(tokens).float().softmax(-1).topk(self.k)
        order = expert.flatten().argsort(stable=True)
        load = torch.bincount(expert.flatten(), minlength=self.w1.size(0))
        offsets = load.cumsum(0).to(torch.int32)
        row = order // self.k
        hidden = functional.relu(torch._grouped_mm(tokens[row], self.w1, offsets))
        y = torch._grouped_mm(hidden, self.w2, offsets) * probability.flatten()[order, None].to(x.dtype)
        return torch.zeros_like(tokens).index_add(0, row, y).view(x.shape)


class FirstOf(nn.Module):
    """A layer that gives its output among other things."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        output = self.layer(x)
        return output[0] if isinstance(output, tuple) else output


def make_layer(name, experts, width, hidden, dtype):
    torch.manual_seed(1)
    if name == "HF Switch":
        from transformers.models.switch_transformers.configuration_switch_transformers import SwitchTransformersConfig
        from transformers.models.switch_transformers.modeling_switch_transformers import SwitchTransformersSparseMLP

        config = SwitchTransformersConfig(d_model=width, d_ff=hidden, num_experts=experts, expert_capacity=2048,
                                          dropout_rate=0.0, router_jitter_noise=0.0)
        return FirstOf(SwitchTransformersSparseMLP(config)).to(dtype)
    if name == "HF NLLB-MoE":
        from transformers.models.nllb_moe.configuration_nllb_moe import NllbMoeConfig
        from transformers.models.nllb_moe.modeling_nllb_moe import NllbMoeSparseMLP

        config = NllbMoeConfig(d_model=width, num_experts=experts, activation_dropout=0.0, moe_token_dropout=0.0,
                               activation_function="relu")
        return FirstOf(NllbMoeSparseMLP(config, hidden)).to(dtype)
    return GroupedLayer(experts, width, hidden, 1 if name.endswith("top-1") else 2).to(dtype)
