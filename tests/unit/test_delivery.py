"""How it is to be spoken: what is refused, and that a request carries all of it."""

import json

import numpy as np
import pytest

from erlnet_blender.delivery import PARTS, Delivery, parts_of_expression
from erlnet_blender.errors import ErlnetError


def test_a_request_carries_numbers_and_curves():
    curve = np.linspace(0, 1, 40)
    sent = Delivery(
        "happy", curve, "calm", 0.25, {"sad": 0.5, "angry": curve[::-1]}, frozenset({"mouth", "head"}), 12.0, 7
    )
    header, arrays = sent.as_request()
    got = Delivery.from_request(json.loads(json.dumps(header)), arrays)
    assert got.as_notes() == sent.as_notes()
    assert np.array_equal(got.strength, curve.astype(np.float32))
    assert np.array_equal(got.emotions["angry"], sent.emotions["angry"])
    assert (got.mix, got.emotions["sad"], got.parts, got.seed) == (0.25, 0.5, {"mouth", "head"}, 7)
    assert not got.is_constant
    assert Delivery.from_request({}, {}).as_notes() == Delivery().as_notes()
    assert Delivery().is_constant


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strength": 3.1}, "Style strength 3.1 is not between 0 and 3"),
        ({"strength": [0.0, float("nan")]}, "Style strength is not between"),
        ({"strength": "1"}, "neither a number nor a row"),
        ({"strength": True}, "neither a number nor a row"),
        ({"strength": []}, "neither a number nor a row"),
        ({"mix": [[0.5]]}, "neither a number nor a row"),
        ({"mix": -0.1}, "Style mix -0.1 is not between 0 and 1"),
        ({"emotions": {"happy": 2.0}}, "Intensity of happy 2.0 is not between 0 and 1.5"),
        ({"emotions": {"happy": {"a": 1}}}, "neither a number nor a row"),
        ({"emotions": ["happy"]}, "not lists of names"),
        ({"parts": ["mouth", "ears"]}, "No such parts of the face: ears"),
        ({"parts": []}, "No such parts of the face: none"),
        ({"parts": "mouth"}, "not lists of names"),
        ({"blinks_per_minute": [1, 2]}, "not one number"),
        ({"blinks_per_minute": 61}, "not between 0 and 60"),
        ({"seed": -1}, "Seed -1 is not a whole number"),
        ({"seed": 1.5}, "Seed 1.5 is not a whole number"),
        ({"style": 3}, "Style 3 is not a name"),
    ],
)
def test_a_request_is_data_of_the_right_kind_or_refused(wrong, message):
    with pytest.raises(ErlnetError, match=message):
        Delivery.from_request(wrong, {})


def test_curves_are_limited_in_size(monkeypatch):
    monkeypatch.setattr("erlnet_blender.delivery.MOST_FRAMES", 10)
    Delivery(mix=np.zeros(10))
    with pytest.raises(ErlnetError, match="Style mix"):
        Delivery.from_request({}, {"mix": np.zeros(11)})


def test_every_expression_belongs_to_a_part():
    assert parts_of_expression("brow_inner_up") == parts_of_expression("squint_L") == {"brows"}
    assert parts_of_expression("lid_follow_up_R") == {"gaze"}
    assert parts_of_expression("smile_L") == parts_of_expression("nose_wrinkle_L") == {"mouth"}
    assert {"mouth", "brows"} <= parts_of_expression("Exp007") <= PARTS
