import json

import pytest


@pytest.mark.parametrize(
    ("min_skill", "code"),
    [
        pytest.param("0.02", 0, id="an-honest-experiment", marks=pytest.mark.slow),
        pytest.param("-9", 4, id="a-gate-that-stops-nothing"),
    ],
)
def test_a_check_that_fails_ends_with_code_4(inside, shop, min_skill, code):
    quick = ["training.max_steps=20", "network.cells.units=[8]", f"gate.min_skill={min_skill}"]
    words = [word for field in quick for word in ("--set", field)]
    ran = inside("verify", "--data", str(shop), "--horizon", "7", "--json", *words)
    assert ran.returncode == code, ran.stderr
    findings = json.loads(ran.stdout.splitlines()[-1])["findings"]
    assert [finding["holds"] for finding in findings] == [True, True, True, code == 0]
    assert ("does not hold: no skill on shuffled values" in ran.stderr) == (code == 4)
