"""What a comparison advises."""

from panflow.scene.advice import PURPOSES, advise

NEUTRAL = {"detail_gain": 0.8, "detail_correlation": 0.9, "fine_colour": 0.1, "d_lambda_k": 0.1}
NEUTRAL |= {"r_ergas": 2.0, "sam": 3.0, "ergas": 3.0, "q2n": 0.8}


def scores(**methods):
    return {name: NEUTRAL | values for name, values in methods.items()}


def test_crisp_and_true_methods_are_told_apart():
    crisp = {"detail_gain": 1.0, "detail_correlation": 0.99, "fine_colour": 0.06, "sam": 4.0}
    true = {"r_ergas": 0.4, "sam": 1.0, "ergas": 1.5, "detail_gain": 0.6}
    eye, analysis = advise(scores(crisp=crisp, true=true, middle={}))
    assert (eye.purpose, eye.method, analysis.purpose, analysis.method) == ("the eye", "crisp", "analysis", "true")
    assert any("1.00 of PAN's fine detail" in reason for reason in eye.reasons)
    assert any("R-ERGAS 0.40" in reason for reason in analysis.reasons)
    assert eye.second == analysis.second == "middle"
    assert str(analysis).startswith("for analysis take true: ")


def test_the_nearest_to_the_ideal_and_not_the_highest_is_best():
    eye, _ = advise(scores(loud={"detail_gain": 1.6}, right={"detail_gain": 1.05}, soft={"detail_gain": 0.6}))
    assert eye.method == "right"


def test_what_is_weakest_stands_beside_the_best():
    strong = {"r_ergas": 0.4, "sam": 1.0, "ergas": 1.5, "q2n": 0.9, "d_lambda_k": 0.3}
    _, analysis = advise(scores(a=strong, b={"d_lambda_k": 0.02}))
    assert analysis.method == "a" and analysis.weakest == "D_lambda_K is 0.3, where b has 0.02"
    assert "D_lambda_K" not in " ".join(analysis.reasons)


def test_what_does_not_sharpen_is_no_choice():
    ideal = {"detail_gain": 0.1, "r_ergas": 0.0, "sam": 0.0, "ergas": 0.0, "d_lambda_k": 0.0}
    assert {advice.method for advice in advise(scores(exp=ideal, gsa={}))} == {"gsa"}
    assert advise(scores(exp=ideal)) == [] and advise({}) == []


def test_values_that_are_no_numbers_are_worst():
    _, analysis = advise(scores(a={"ergas": float("nan")}, b={}))
    assert analysis.method == "b"


def test_every_index_that_counts_is_computed_and_has_words():
    from panflow.scene.advice import WORDS
    from panflow.scene.compare import FULL, REDUCED

    assert {index for indices in PURPOSES.values() for index in indices} == set(WORDS) <= {*FULL, *REDUCED}
