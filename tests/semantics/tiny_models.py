"""Tiny random text models in Hugging Face layout, made on the spot."""

from __future__ import annotations

import json
from pathlib import Path

END = "<|endoftext|>"


def make_clip(folder: Path, seed: int = 0) -> Path:
    """A CLIP text model: 2 layers, 16 channels, 12 positions, a byte-pair tokenizer that knows single letters."""
    import torch
    from transformers import CLIPTextConfig, CLIPTextModel

    letters = "abcdefghijklmnopqrstuvwxyz"
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", END]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({word: place for place, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    start, end = len(words) - 2, len(words) - 1
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "CLIPTokenizer", "pad_token": END, "unk_token": END})
    )
    config = CLIPTextConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=12,
        bos_token_id=start,
        eos_token_id=end,
        pad_token_id=end,
    )
    torch.manual_seed(seed)
    CLIPTextModel(config).save_pretrained(folder)
    return folder


def make_bert(folder: Path, seed: int = 0) -> Path:
    """A BERT model: 2 layers, 16 channels, 10 positions."""
    import torch
    from transformers import BertConfig, BertModel

    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "raise", "the", "hand", "kick", "sit", "down"]
    (folder / "vocab.txt").write_text("\n".join(words))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=10,
    )
    torch.manual_seed(seed)
    BertModel(config).save_pretrained(folder)
    return folder


def make_full_clip(folder: Path) -> Path:
    """A whole CLIP model (vision and text) around the text model of `make_clip`, as published checkpoints are."""
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    make_clip(folder)
    text = CLIPTextConfig.from_pretrained(folder).to_dict()
    vision = CLIPVisionConfig(
        hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2, image_size=8, patch_size=4
    ).to_dict()
    (folder / "model.safetensors").unlink()
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=16)).save_pretrained(folder)
    return folder
