"""How large the next piece is."""

from engine.pieces import HOLD_S, Pieces


def test_a_piece_grows_to_what_fits_and_doubles_at_most() -> None:
    pieces = Pieces(20, 5, 5000)
    pieces.took(20, HOLD_S / 100)
    assert pieces.size == 40
    pieces.took(40, HOLD_S * 40 / 50)
    assert pieces.size == 50


def test_a_piece_that_held_too_long_is_followed_by_a_smaller_one_at_once() -> None:
    pieces = Pieces(4000, 5, 5000)
    pieces.took(4000, HOLD_S * 20)
    assert pieces.size == 200
    pieces.took(200, 10.0)
    assert pieces.size == 5


def test_alone_a_piece_may_hold_longer_up_to_the_most() -> None:
    pieces = Pieces(4000, 5, 5000)
    pieces.took(4000, 0.1, 0.2)
    assert pieces.size == 5000
