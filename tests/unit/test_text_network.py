"""The classifying network: random, from a DistilBERT, from a BERT; and what is refused."""

from __future__ import annotations

import json

import pytest

from learners.errors import MissingError
from learners.texts import pretrained
from learners.texts.network import Tiny, load_state, make_network, require_supported, state_of

torch = pytest.importorskip("torch", reason="the extra learners is not installed")
transformers = pytest.importorskip("transformers", reason="the extra learners is not installed")

SMALL = {"vocabulary": 60, "cls": 1, "sep": 2, "pad": 0, "length": 24}
TINY = Tiny(layers=2, width=16, heads=2)


def tiny(labels=3, single=False, seed=0, **changes):
    return make_network("tiny", labels, single, tiny=TINY, seed=seed, **(SMALL | changes))


def scores(network, rows=4) -> torch.Tensor:
    ids = torch.arange(rows * 10).reshape(rows, 10) % 50 + 3
    with torch.no_grad():
        return network(input_ids=ids).logits


@pytest.fixture(scope="module")
def distilbert(tmp_path_factory):
    """A folder with a DistilBERT of 3 labels."""
    folder = tmp_path_factory.mktemp("distilbert")
    network = tiny(seed=5)
    network.save_pretrained(folder)
    return str(folder), network


def bert_folder(folder, **settings) -> str:
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = transformers.BertConfig(
        vocab_size=60, intermediate_size=32, max_position_embeddings=24, **(shape | settings)
    )
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return str(folder)


# ── random weights ───────────────────────────────────────────────────────────────────────────────


def test_tiny_has_the_size_asked_for():
    network = tiny(labels=5, single=True)
    assert scores(network).shape == (4, 5)
    assert (network.config.n_layers, network.config.dim, network.config.hidden_dim) == (2, 16, 64)
    assert network.config.problem_type == "single_label_classification"
    assert network.config._attn_implementation == "sdpa"
    assert (network.config.bos_token_id, network.config.eos_token_id) == (1, 2)


def test_weights_come_from_the_seed_alone():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = scores(tiny(seed=7))
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's draws move
    torch.manual_seed(2)
    assert torch.equal(scores(tiny(seed=7)), first)
    assert not torch.equal(scores(tiny(seed=8)), first)


def test_state_goes_out_and_back_as_a_copy():
    network, other = tiny(seed=1), tiny(seed=2)
    state = state_of(network)
    load_state(other, state)
    assert torch.equal(scores(other), scores(network))
    state["classifier.bias"] += 1.0
    assert torch.equal(scores(other), scores(network))


def test_the_state_of_another_network_is_refused():
    with pytest.raises(ValueError, match=r"classifier.*of another network \(2 of \d+ differ\)"):
        load_state(tiny(labels=3), state_of(tiny(labels=4)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 15}, "width: got 15 with 2 heads; must be a multiple"),
        ({"layers": 0}, "layers: got 0; must be ≥ 1"),
    ],
)
def test_impossible_sizes(arguments, message):
    with pytest.raises(ValueError, match=message):
        Tiny(**arguments)


def test_one_label_needs_a_multi_label_platform():
    assert scores(tiny(labels=1)).shape == (4, 1)
    with pytest.raises(ValueError, match="labels: got 1; must be ≥ 2"):
        tiny(labels=1, single=True)
    with pytest.raises(ValueError, match="length: got 2; must be ≥ 3"):
        tiny(length=2)


# ── checkpoints ──────────────────────────────────────────────────────────────────────────────────


def test_a_distilbert_comes_back_as_it_was(distilbert):
    folder, network = distilbert
    assert torch.equal(scores(make_network(folder, 3, False, seed=9, **SMALL)), scores(network))


def test_another_number_of_labels_gets_a_new_head_from_the_seed(distilbert):
    folder, network = distilbert
    one, two = (make_network(folder, 4, False, seed=seed, **SMALL) for seed in (1, 2))
    words = "distilbert.embeddings.word_embeddings.weight"
    assert torch.equal(state_of(one)[words], state_of(network)[words])
    assert not torch.equal(state_of(one)["classifier.weight"], state_of(two)["classifier.weight"])
    again = make_network(folder, 4, False, seed=1, **SMALL)
    assert torch.equal(scores(one), scores(again))


def test_any_bert_of_one_token_type_becomes_the_same_function(tmp_path):
    folder = bert_folder(tmp_path, hidden_act="relu")
    bert = transformers.BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    network = make_network(folder, 3, False, **SMALL)
    ids = torch.randint(3, 60, (5, 20), generator=torch.Generator().manual_seed(0))
    mask = torch.ones(5, 20, dtype=torch.long)
    mask[2, 12:] = 0
    with torch.no_grad():
        found = network.distilbert(ids, mask).last_hidden_state
        wanted = bert(ids, attention_mask=mask).last_hidden_state
        other = bert(ids, attention_mask=mask, token_type_ids=torch.ones_like(ids))
    assert (found - wanted)[mask.bool()].abs().max() < 5e-6
    assert (found - other.last_hidden_state).abs().max() > 1e-3  # type 1 is not the same


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer_norm_eps": 1e-6}, "layer_norm_eps = 1e-06; must be 1e-12"),
        ({"is_decoder": True}, "is_decoder = True; must be False"),
        ({"model_type": "roberta"}, "of type 'roberta'; must be distilbert or bert"),
        ({"position_embedding_type": "relative_key"}, "'relative_key'; must be 'absolute'"),
    ],
)
def test_a_bert_that_is_not_exactly_a_distilbert_is_refused(tmp_path, settings, message):
    folder = bert_folder(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    with pytest.raises(ValueError, match=message):
        require_supported(folder)
    with pytest.raises(ValueError, match=message):
        make_network(folder, 3, False, **SMALL)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"length": 25}, ValueError, r"length: got 25; must be ≤ 24 .* \(tokens\)"),
        ({"vocabulary": 61}, MissingError, "of 61 tokens, and a config.json of 60: the tokenizer"),
    ],
)
def test_what_does_not_fit_the_checkpoint(distilbert, changes, error, message):
    with pytest.raises(error, match=message):
        make_network(distilbert[0], 3, False, **(SMALL | changes))


@pytest.mark.parametrize(
    ("said", "came"),
    [
        ({"n_layers": 3}, "ValueError: weights: got .*layer.2"),
        ({"activation": "gelo"}, "gelo"),
        ({"n_heads": 5}, "5"),
        ({"dropout": "much"}, "much"),
        ({"model_type": "bert"}, "KeyError"),
    ],
)
def test_a_checkpoint_that_is_not_what_its_configuration_says(distilbert, tmp_path, said, came):
    tiny().save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | said))
    words = rf"^model: .* does not hold what its config\.json says \(.*{came}.*\); fetch the model"
    with pytest.raises(MissingError, match=words) as error:
        make_network(str(tmp_path), 3, False, **SMALL)
    assert str(tmp_path) in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("size", ["512", 0, True, None])
def test_sizes_that_are_none(tmp_path, size):
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": size}))
    with pytest.raises(MissingError, match=r"^model: .*: got max_position_embeddings = "):
        pretrained.configuration(str(tmp_path))


# ── where models are ─────────────────────────────────────────────────────────────────────────────


def test_a_folder_without_a_model(tmp_path):
    with pytest.raises(MissingError, match=r"without a config\.json"):
        pretrained.locate(str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(MissingError, match="without weights as safetensors"):
        pretrained.locate(str(tmp_path), weights=True)
    with pytest.raises(MissingError, match=r"config.json: cannot be read .* fetch the model again"):
        require_supported(str(tmp_path))
    with pytest.raises(MissingError, match="which is no folder"):
        pretrained.locate(str(tmp_path / "nothing"))


def test_broken_weights(tmp_path):
    tiny().save_pretrained(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(MissingError, match=r"model.safetensors: broken .* fetch the model again"):
        make_network(str(tmp_path), 3, False, **SMALL)


def test_an_unknown_name_without_a_network(monkeypatch, tmp_path):
    import huggingface_hub

    def unreachable(*_, **settings):
        if settings.get("local_files_only"):
            raise huggingface_hub.errors.LocalEntryNotFoundError("not here")
        raise ConnectionError("Network is unreachable\nand more")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", unreachable)
    with pytest.raises(
        MissingError, match=r"could not be fetched \(Network is unreachable\);"
    ) as e:
        pretrained.locate("nobody/nothing")
    assert e.value.exit_code == 6 and e.value.__cause__ is None


def test_a_cached_name_needs_no_network(monkeypatch, tmp_path):
    import huggingface_hub

    def only_cached(name, **settings):
        assert settings["local_files_only"]
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", only_cached)
    tiny().save_pretrained(tmp_path)
    assert pretrained.locate("somebody/something", weights=True) == str(tmp_path)


def test_the_digest_is_of_the_content_not_of_the_place(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        tiny(seed=seed).save_pretrained(tmp_path / name)
    a, b, c = (pretrained.content_digest(str(tmp_path / name)) for name in "abc")
    assert a == b != c


def test_without_the_package_minilm_says_what_to_install(monkeypatch):
    monkeypatch.setattr(pretrained, "MINILM_PACKAGE", "no_such_package_here")
    with pytest.raises(MissingError, match=r'pip install "alphacrit\[minilm\]"'):
        pretrained.locate("minilm")


def test_without_torch_there_is_a_hint(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingError, match=r'pip install "alphacrit\[learners\]"'):
        tiny()
