"""A BERT checkpoint in DistilBERT's shape, where both are the same function.

A BERT encoder has two things more than DistilBERT's: a pooler, which a classifier at [CLS] does
not use, and token types, which are all 0 in single texts. Adding row 0 of the token-type embeddings
to every position embedding therefore gives *the same* last hidden states; a checkpoint for which
this is not so is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["bert_settings", "bert_weights", "require_exact"]

LAYER_NORM_EPS = 1e-12  # written into DistilBERT's code
BERT_NAMES = (  # from the first to the last
    ("LayerNorm.gamma", "LayerNorm.weight"),  # the oldest checkpoints
    ("LayerNorm.beta", "LayerNorm.bias"),
    ("encoder.layer.", "transformer.layer."),
    ("attention.self.query", "attention.q_lin"),
    ("attention.self.key", "attention.k_lin"),
    ("attention.self.value", "attention.v_lin"),
    ("attention.output.dense", "attention.out_lin"),
    ("attention.output.LayerNorm", "sa_layer_norm"),
    ("intermediate.dense", "ffn.lin1"),
    ("output.dense", "ffn.lin2"),
    ("output.LayerNorm", "output_layer_norm"),
)


def require_exact(model: str, found: Mapping[str, Any]) -> None:
    """What must hold of a BERT's configuration so that the two are the same function."""
    needed = {
        "position_embedding_type": "absolute",
        "layer_norm_eps": LAYER_NORM_EPS,
        "is_decoder": False,
        "add_cross_attention": False,
    }
    for key, value in needed.items():
        if found.get(key, value) != value:
            raise ValueError(
                f"model: {model} has {key} = {found[key]!r}; must be {value!r}: it cannot be "
                "put into DistilBERT's shape exactly"
            )


def bert_settings(found: Mapping[str, Any]) -> dict[str, Any]:
    """BERT's settings in DistilBERT's words; absent ones are BERT's defaults."""
    return {
        "vocab_size": found.get("vocab_size", 30522),
        "max_position_embeddings": found.get("max_position_embeddings", 512),
        "n_layers": found.get("num_hidden_layers", 12),
        "n_heads": found.get("num_attention_heads", 12),
        "dim": found.get("hidden_size", 768),
        "hidden_dim": found.get("intermediate_size", 3072),
        "dropout": found.get("hidden_dropout_prob", 0.1),
        "attention_dropout": found.get("attention_probs_dropout_prob", 0.1),
        "activation": found.get("hidden_act", "gelu"),
        "initializer_range": found.get("initializer_range", 0.02),
    }


def bert_weights(weights: Mapping[str, Any]) -> dict[str, Any]:
    """A BERT's encoder in DistilBERT's names, token type 0 added to every position."""
    moved: dict[str, Any] = {}
    for name, value in weights.items():
        short = name.removeprefix("bert.")
        if not short.startswith(("embeddings.", "encoder.")) or "position_ids" in short:
            continue
        for old, new in BERT_NAMES:
            short = short.replace(old, new)
        moved[f"distilbert.{short}"] = value
    types = moved.pop("distilbert.embeddings.token_type_embeddings.weight")  # (types, width)
    positions = "distilbert.embeddings.position_embeddings.weight"  # (512, width)
    return moved | {positions: moved[positions] + types[0]}
