"""Sizes of bench/training_case.cpp, for programs that measure others beside ours."""

SIZES = {
    "small": {"width": 256, "ffn": 1024, "sentences": 128},
    "tiny": {"width": 128, "ffn": 256, "sentences": 64},
}
HEADS, LAYERS_OF_STACK, VOCABULARY, LENGTH, DROPOUT = 4, 4, 8000, 32, 0.1
