#!/usr/bin/env python3
"""Trains the dense body of a sweep with PyTorch alone, for comparison with what moe-bench reaches.

    pip install torch sentencepiece sacrebleu     # in a virtual environment of its own
    tools/independent_translation.py CONFIG.json VOCABULARY.model --rates 1e-3 2e-3 4e-3 [--threads N]

CONFIG.json is the config.json of a finished `dense` run of one direction, with its result.json beside it, and VOCABULARY.model
its SentencePiece model: sizes, data, schedule and budget (updates, and target tokens an update) are read from there. Nothing
else is shared: model, batches, optimiser, beam search and scores are
PyTorch's, sacreBLEU's, or written here. The learning rate is chosen on the validation set; the test set is scored once, with
the mean of the weights over the last tenth of training, as moe-bench does by default. data.train_share must be 1: lay shorter
files into a folder of their own to train on a part.
"""
import argparse
import copy
import json
import math
import pathlib
import random
import time

import sacrebleu
import sentencepiece
import torch
from torch import nn

PADDING, BEGIN, END = 0, 2, 3


class Sublayer(nn.Module):
    """x + dropout(work(norm(x)))"""

    def __init__(self, width, dropout):
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(width), nn.Dropout(dropout)

    def forward(self, x, work):
        return x + self.dropout(work(self.norm(x)))


class Block(nn.Module):
    def __init__(self, width, ffn, heads, dropout, decoder):
        super().__init__()
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.cross_attention = nn.MultiheadAttention(width, heads, batch_first=True) if decoder else None
        self.net = nn.Sequential(nn.Linear(width, ffn), nn.ReLU(), nn.Linear(ffn, width))
        self.sublayers = nn.ModuleList(Sublayer(width, dropout) for _ in range(3 if decoder else 2))

    def forward(self, x, padding, memory=None, memory_padding=None):
        decoder = self.cross_attention is not None
        causal = torch.ones(x.size(1), x.size(1), dtype=torch.bool).triu(1) if decoder else None
        attend = lambda y: self.self_attention(y, y, y, key_padding_mask=None if decoder else padding, attn_mask=causal,
                                               need_weights=False)[0]
        x = self.sublayers[0](x, attend)
        if decoder:
            x = self.sublayers[1](x, lambda y: self.cross_attention(y, memory, memory, key_padding_mask=memory_padding,
                                                                    need_weights=False)[0])
        return self.sublayers[-1](x, self.net)


class Translator(nn.Module):
    def __init__(self, model, vocabulary):
        super().__init__()
        self.width = model["width"]
        self.embedding = nn.Embedding(vocabulary, self.width, padding_idx=PADDING)
        nn.init.normal_(self.embedding.weight, std=self.width ** -0.5)
        block = lambda decoder: Block(self.width, model["ffn"], model["heads"], model["dropout"], decoder)
        self.encoder = nn.ModuleList(block(False) for _ in range(model["encoder_layers"]))
        self.decoder = nn.ModuleList(block(True) for _ in range(model["decoder_layers"]))
        self.norms = nn.ModuleList(nn.LayerNorm(self.width) for _ in range(2))
        self.dropout = nn.Dropout(model["dropout"])
        for name, weight in self.named_parameters():
            if weight.dim() == 2 and "embedding" not in name:
                nn.init.xavier_uniform_(weight)

    def embed(self, ids):
        half = torch.arange(self.width // 2) / (self.width // 2 - 1)
        angle = torch.arange(ids.size(1)).unsqueeze(1) * torch.exp(-math.log(10000.0) * half)
        position = torch.cat([angle.sin(), angle.cos()], 1)
        return self.dropout(self.embedding(ids) * math.sqrt(self.width) + position)

    def encode(self, source):
        padding = source == PADDING
        x = self.embed(source)
        for block in self.encoder:
            x = block(x, padding)
        return self.norms[0](x), padding

    def decode(self, target, memory, memory_padding):
        x = self.embed(target)
        for block in self.decoder:
            x = block(x, None, memory, memory_padding)
        return self.norms[1](x)

    def logits(self, state):
        return state @ self.embedding.weight.T


def read_pairs(data, split, tokenizer):
    source, target = data["directions"][0].split("-")
    texts = [(pathlib.Path(data["root"]) / f"{split}.{language}").read_text(encoding="utf-8").splitlines()
             for language in (source, target)]
    encoded = [[tokenizer.encode(line) + [END] for line in text] for text in texts]
    return list(zip(*encoded)), texts[1]


def pad(rows):
    length = max(map(len, rows))
    return torch.tensor([row + [PADDING] * (length - len(row)) for row in rows])


def batches_of(pairs, tokens, shuffle):
    """Alike lengths together; about `tokens` target tokens a batch, without padding."""
    order = list(range(len(pairs)))
    shuffle.shuffle(order)
    order.sort(key=lambda i: len(pairs[i][1]) + shuffle.random())
    batches, batch, left = [], [], tokens
    for i in order:
        if batch and left < len(pairs[i][1]) / 2:
            batches.append(batch)
            batch, left = [], left + tokens
        batch.append(i)
        left -= len(pairs[i][1])
    batches.append(batch)
    shuffle.shuffle(batches)
    return batches


def loss_of(model, pairs, batch, smoothing):
    source, target = pad([pairs[i][0] for i in batch]), pad([pairs[i][1] for i in batch])
    begin = torch.full((len(batch), 1), BEGIN)
    state = model.decode(torch.cat([begin, target[:, :-1]], 1), *model.encode(source))
    real = target != PADDING
    log_p = model.logits(state[real]).log_softmax(-1)
    own = log_p.gather(1, target[real].unsqueeze(1)).squeeze(1)
    others = log_p.sum(1) - own
    return -((1 - smoothing) * own + smoothing / (log_p.size(1) - 1) * others).mean()


def rate_at(training, update):
    peak, warmup, updates = training["learning_rate"], training["warmup"], training["updates"]
    if update <= warmup:
        return peak * update / warmup
    if training["schedule"] == "linear":
        return peak * max(0.0, updates - update + 1) / (updates - warmup)
    return peak * math.sqrt(warmup / update)


def train(config, pairs, vocabulary, tokens, seed):
    torch.manual_seed(seed)
    shuffle = random.Random(seed)
    training = config["training"]
    model = Translator(config["model"], vocabulary)
    optimizer = torch.optim.Adam(model.parameters(), lr=1.0, betas=(0.9, 0.98), eps=1e-8)
    smoothing = config["strategy"]["objective"]["label_smoothing"]
    mean, averaged, update = None, 0, 0
    while update < training["updates"]:
        for batch in batches_of(pairs, tokens, shuffle):
            update += 1
            optimizer.param_groups[0]["lr"] = rate_at(training, update)
            optimizer.zero_grad()
            loss_of(model, pairs, batch, smoothing).backward()
            nn.utils.clip_grad_norm_(model.parameters(), training["clip_norm"])
            optimizer.step()
            if update > 0.9 * training["updates"]:
                averaged += 1
                weights = {name: value.detach().double() for name, value in model.state_dict().items()}
                mean = weights if mean is None else {n: mean[n] + (weights[n] - mean[n]) / averaged for n in mean}
            if update == training["updates"]:
                break
    scored = copy.deepcopy(model)
    scored.load_state_dict({name: value.float() for name, value in mean.items()})
    return scored.eval()


@torch.no_grad()
def translate(model, source, beam, evaluation):
    """Beam search over one sentence; hypotheses are ranked by log-probability / length^a."""
    memory, padding = model.encode(torch.tensor([source]))
    most = max(2, int(evaluation["max_length_ratio"] * len(source)) + evaluation["max_length_constant"])
    beams, finished = [([BEGIN], 0.0)], []
    for _ in range(most):
        ids = torch.tensor([beam_ids for beam_ids, _ in beams])
        state = model.decode(ids, memory.expand(len(beams), -1, -1), padding.expand(len(beams), -1))[:, -1]
        log_p = model.logits(state).log_softmax(-1)
        log_p[:, [PADDING, BEGIN]] = -math.inf
        total = log_p + torch.tensor([score for _, score in beams]).unsqueeze(1)
        score, index = total.flatten().topk(2 * beam)
        following = []
        for rank, (value, place) in enumerate(zip(score.tolist(), index.tolist())):
            row, token = divmod(place, log_p.size(1))
            if token == END:
                if rank < beam:
                    finished.append((value / len(beams[row][0]) ** evaluation["length_penalty"], beams[row][0][1:]))
            elif len(following) < beam:
                following.append((beams[row][0] + [token], value))
        beams = following
        if len(finished) >= beam:
            break
    best = max(finished) if finished else (0, beams[0][0][1:])
    return best[1]


def bleu(model, pairs, references, tokenizer, beam, evaluation):
    lines = [tokenizer.decode(translate(model, source, beam, evaluation)) for source, _ in pairs]
    return sacrebleu.corpus_bleu(lines, [references]).score


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("config", type=pathlib.Path)
    parser.add_argument("vocabulary", type=pathlib.Path)
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-3, 2e-3, 4e-3])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    config = json.loads(options.config.read_text())
    data = config["data"]
    assert config["strategy"]["router"] == "dense" and config["strategy"]["objective"]["passes"] == 1
    assert data["train_share"] == 1 and len(data["directions"]) == 1 and config["model"]["norm"] == "pre"
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(options.vocabulary))
    pairs, _ = read_pairs(data, data["train"], tokenizer)
    spent = json.loads((options.config.parent / "result.json").read_text())["training"]
    tokens = spent["target_tokens"] / spent["updates"]
    print(f"{spent['updates']} updates of {tokens:.0f} target tokens", flush=True)
    best = None
    for rate in options.rates:
        start = time.time()
        config["training"]["learning_rate"] = rate
        model = train(config, pairs, tokenizer.get_piece_size(), tokens, options.seed)
        on_valid = bleu(model, *read_pairs(data, data["valid"], tokenizer), tokenizer, 1, config["evaluation"])
        print(f"learning rate {rate:g}: validation BLEU {on_valid:.2f} ({time.time() - start:.0f} s)", flush=True)
        if best is None or on_valid > best[0]:
            best = (on_valid, rate, model)
    for name in data["test"]:
        score = bleu(best[2], *read_pairs(data, name, tokenizer), tokenizer, config["evaluation"]["beam"],
                     config["evaluation"])
        print(f"{name}: BLEU {score:.2f} with learning rate {best[1]:g}")


if __name__ == "__main__":
    main()
