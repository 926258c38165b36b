// Carries the precompiled header that the tests of LibTorch's folders share.
