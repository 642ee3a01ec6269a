"""Playback follows the clock, not the number of looks at it."""

from __future__ import annotations

import pytest

from app.viewer.playback import SPEEDS, Playback, clock_text


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def playback(clock: Clock) -> Playback:
    playback = Playback(clock)
    playback.load(90, 30.0)
    return playback


def test_frame_follows_elapsed_time(playback: Playback, clock: Clock) -> None:
    playback.play()
    for _ in range(1000):  # looking often changes nothing
        playback.frame()
    clock.now += 1.0
    assert playback.frame() == 30


def test_speed_changes_from_the_frame_on_screen(playback: Playback, clock: Clock) -> None:
    playback.play()
    clock.now += 1.0
    playback.set_speed(0.5)
    assert playback.frame() == 30
    clock.now += 1.0
    assert playback.frame() == 45


def test_loops_or_stops_at_the_last_frame(playback: Playback, clock: Clock) -> None:
    playback.play()
    clock.now += 3.1
    assert playback.frame() == 3 and playback.playing
    playback.seek(0)
    playback.set_loop(False)
    clock.now += 10
    assert playback.frame() == 89 and not playback.playing
    playback.play()
    assert playback.frame() == 0


def test_switching_the_loop_off_after_several_rounds_stays_in_place(playback: Playback, clock: Clock) -> None:
    playback.play()
    clock.now += 3.0 * 7 + 1.0
    playback.set_loop(False)
    assert playback.frame() == 30 and playback.playing


def test_step_pauses_and_wraps_only_when_looping(playback: Playback) -> None:
    playback.play()
    playback.step(-1)
    assert playback.frame() == 89 and not playback.playing
    playback.set_loop(False)
    playback.step(5)
    assert playback.frame() == 89


def test_seek_is_clamped_and_playing_goes_on(playback: Playback, clock: Clock) -> None:
    playback.play()
    playback.seek(10_000)
    assert playback.frame() == 89
    playback.seek(-5)
    clock.now += 0.5
    assert playback.frame() == 15


@pytest.mark.parametrize(("frames", "fps"), [(0, 30.0), (1, 30.0), (5, 0.0), (5, float("nan"))])
def test_odd_recordings(clock: Clock, frames: int, fps: float) -> None:
    playback = Playback(clock)
    playback.load(frames, fps, play=True)
    clock.now += 1.0
    assert 0 <= playback.frame() <= max(frames - 1, 0)
    playback.step(1)
    assert 0 <= playback.frame() <= max(frames - 1, 0)


def test_speed_steps_stay_in_range(playback: Playback) -> None:
    for _ in range(20):
        playback.faster(1)
    assert playback.speed == SPEEDS[-1] == 4.0
    for _ in range(20):
        playback.faster(-1)
    assert playback.speed == SPEEDS[0] == 0.1


def test_clock_text() -> None:
    assert [clock_text(s) for s in (0, 59.96, 61.24)] == ["0:00.0", "1:00.0", "1:01.2"]
