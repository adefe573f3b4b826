import json
from dataclasses import replace

from ganlib.evaluation.comparison.reading import recorded
from ganlib.evaluation.comparison.table import Column
from ganlib.evaluation.protocol import Protocol, Score, differences

PROTOCOL = Protocol(
    extractor="inception",
    extractor_digest="67",
    resize="bilinear",
    precision="float32",
    n_generated=50_000,
    reference="train",
    n_reference=50_000,
    reference_digest="ab",
    settings={"splits": 10},
    weights="ema",
    bn_mode="running",
    seed=1,
    versions={"torch": "2.13"},
)


def test_the_hash_is_frozen() -> None:
    # scores on disk are compared by it: a change makes all of them strangers to new ones
    assert PROTOCOL.hash == "d5f3caf6a57e"


def test_seed_and_versions_do_not_forbid_comparing() -> None:
    other = replace(PROTOCOL, seed=2, versions={"torch": "3.0"})
    assert other.hash == PROTOCOL.hash
    assert differences(PROTOCOL, other) == []


def test_what_decides_changes_the_hash_and_is_named() -> None:
    other = replace(PROTOCOL, n_generated=10_000, settings={"splits": 1, "k": 3}, weights="raw")
    assert other.hash != PROTOCOL.hash
    assert sorted(differences(other, PROTOCOL)) == [
        "k: 3 against none",
        "n_generated: 10000 against 50000",
        "splits: 1 against 10",
        "weights: raw against ema",
    ]


def test_a_score_survives_json() -> None:
    score = Score("FID50k-train", 12.5, None, PROTOCOL)
    record = json.loads(json.dumps(score.to_dict()))
    assert record["hash"] == PROTOCOL.hash
    assert Score.from_dict("FID50k-train", record) == score


def test_a_score_says_which_way_is_better_where_its_name_does_not() -> None:
    """Records of ganlib's own scores are as they were, and a metric of one's own is ranked."""
    own, other = (
        Score(name, 1.0, None, PROTOCOL, better=better)
        for name, better in (("FID50k-train", "lower"), ("brightness50k-train", "lower"))
    )
    assert Score("FID50k-train", 1.0, None, PROTOCOL) == own and "better" not in own.to_dict()
    assert other.to_dict()["better"] == "lower"
    for score in (own, other):
        record = json.loads(json.dumps(score.to_dict()))
        assert Score.from_dict(score.name, record) == score
        found = recorded(record)
        assert found is not None
        assert Column(score.name, score.protocol.hash, {}, "", found.better).better == "lower"
    assert Column("brightness50k-train", "", {}).better == ""
