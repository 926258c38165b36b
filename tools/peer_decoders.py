"""Decoders of others for tools/bench_peers.py: our weights as an M2M100 of transformers, and that in CTranslate2."""

import json
import pathlib

import ctranslate2
import safetensors
import torch
from ctranslate2.converters.transformers import M2M100Loader
from transformers import M2M100Config, M2M100ForConditionalGeneration

from peer_transformers import positions

PADDING, UNKNOWN, BEGIN, END = 0, 1, 2, 3  # of data/tokenizer.h


class DecodingCase:
    """What bench_decoding --dump wrote."""

    def __init__(self, file):
        with safetensors.safe_open(file, framework="pt") as content:
            self.model = json.loads(content.metadata()["model"])
            self.tensors = {name: content.get_tensor(name) for name in content.keys()}
        self.source = self.tensors["source"]
        self.most_tokens = self.tensors["translation.5"].size(1)  # random weights never end

    def translations(self, beam):
        return [[i for i in row if i != PADDING] for row in self.tensors[f"translation.{beam}"].tolist()]


def m2m100(case):
    """The same model: pre-norm, sinusoidal positions, tied embeddings. Positions are a table there, so it can be ours."""
    weights = {name.removeprefix("model."): tensor for name, tensor in case.tensors.items() if name.startswith("model.")}
    vocabulary, width = weights["embedding"].shape
    layers, heads = case.model["layers"], case.model["heads"]
    ffn = weights["encoder_0.ffn_w1"].size(0)
    config = M2M100Config(
        vocab_size=vocabulary, d_model=width, encoder_layers=layers, decoder_layers=layers, encoder_ffn_dim=ffn,
        decoder_ffn_dim=ffn, encoder_attention_heads=heads, decoder_attention_heads=heads, scale_embedding=True,
        activation_function="relu", pad_token_id=PADDING, bos_token_id=BEGIN, eos_token_id=END,
        decoder_start_token_id=BEGIN, max_position_embeddings=256)
    model = M2M100ForConditionalGeneration(config).eval()
    parameters = dict(model.named_parameters())
    copied = set()

    def copy(name, value):
        copied.add(name)
        with torch.no_grad():
            parameters[name].copy_(value.reshape(parameters[name].shape))

    copy("model.shared.weight", weights["embedding"])
    for stack in ("encoder", "decoder"):
        for part in ("weight", "bias"):
            copy(f"model.{stack}.layer_norm.{part}", weights[f"{stack}_norm.{part}"])
        for i in range(layers):
            ours, theirs = f"{stack}_{i}.", f"model.{stack}.layers.{i}."
            attentions = {"self_attention": "self_attn"} | (
                {"cross_attention": "encoder_attn"} if stack == "decoder" else {})
            for part in ("weight", "bias"):
                for mine, other in attentions.items():
                    split = weights[f"{ours}{mine}.input_{part}"].chunk(3)
                    for value, projection in zip(split, ("q_proj", "k_proj", "v_proj")):
                        copy(f"{theirs}{other}.{projection}.{part}", value)
                    copy(f"{theirs}{other}.out_proj.{part}", weights[f"{ours}{mine}.output_{part}"])
                    norm = mine.replace("attention", "norm")
                    copy(f"{theirs}{other}_layer_norm.{part}", weights[f"{ours}{norm}.{part}"])
                copy(f"{theirs}final_layer_norm.{part}", weights[f"{ours}ffn_norm.{part}"])
            dot = "_" if f"{ours}ffn_w1" in weights else "."
            for number in (1, 2):
                copy(f"{theirs}fc{number}.weight", weights[f"{ours}ffn{dot}w{number}"])
                copy(f"{theirs}fc{number}.bias", weights[f"{ours}ffn{dot}b{number}"])
    left = set(parameters) - copied
    assert not left, f"parameters that stayed random: {left}"
    model.tie_weights()
    for embedding in (model.model.encoder.embed_positions, model.model.decoder.embed_positions):
        table = embedding.weights
        table.zero_()
        table[PADDING + 1:].copy_(positions(table.size(0) - PADDING - 1, width))
    return model


class TransformersDecoder:
    def __init__(self, case):
        self.model, self.case = m2m100(case), case

    def translate(self, beam):
        with torch.inference_mode():
            ids = self.model.generate(
                self.case.source, attention_mask=torch.ones_like(self.case.source), num_beams=beam, do_sample=False,
                max_new_tokens=self.case.most_tokens, length_penalty=1.0,
                suppress_tokens=[PADDING, BEGIN], **({"early_stopping": True} if beam > 1 else {}))
        return [[i for i in row if i not in (PADDING, BEGIN, END)] for row in ids.tolist()]


class CTranslate2Decoder:
    def __init__(self, case, folder, threads):
        model = m2m100(case)
        model.config.normalize_before, model.config.normalize_embedding = True, False
        spec = M2M100Loader().get_model_spec(model)
        table = positions(256, case.tensors["model.embedding"].size(1)).numpy()
        spec.encoder.position_encodings.encodings = table
        spec.decoder.position_encodings.encodings = table
        words = [str(i) for i in range(model.config.vocab_size)]
        spec.register_source_vocabulary(words)
        spec.register_target_vocabulary(words)
        spec.config.bos_token = spec.config.decoder_start_token = str(BEGIN)
        spec.config.eos_token, spec.config.unk_token = str(END), str(UNKNOWN)
        spec.validate()
        folder = pathlib.Path(folder)
        folder.mkdir()
        spec.save(folder)
        self.translator = ctranslate2.Translator(str(folder), "cpu", compute_type="float32", intra_threads=threads)
        self.source = [[str(i) for i in row] for row in case.source.tolist()]
        self.most_tokens = case.most_tokens

    def translate(self, beam):
        results = self.translator.translate_batch(
            self.source, beam_size=beam, max_decoding_length=self.most_tokens, max_batch_size=len(self.source),
            suppress_sequences=[[str(PADDING)], [str(BEGIN)]])
        return [[int(word) for word in result.hypotheses[0]] for result in results]
