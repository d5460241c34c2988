"""Sound at another rate, in another form: as PyAV's own resampler does it, but without a thread for each processor."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av import AudioFrame
    from av.filter import Graph


class Resampler:
    """Of frames that are all alike. Where a hundred sounds are heard at once, threads of their own are what counts."""

    def __init__(self, form: str, layout: str, rate: int, frame_size: int | None = None) -> None:
        self._wanted = form, layout, rate
        self._frame_size = frame_size
        self._graph: Graph | None = None

    def resample(self, frame: "AudioFrame | None") -> "list[AudioFrame]":
        """What has become of it; None ends the sound."""
        import av  # noqa: PLC0415 - who hears nothing needs no decoders

        if self._graph is None:
            if frame is None:
                return []
            self._graph = self._made(frame)
        self._graph.push(frame)
        found: list[AudioFrame] = []
        try:
            while True:
                one = self._graph.pull()
                assert isinstance(one, av.AudioFrame)  # noqa: S101 - a graph of sound
                found.append(one)
        except (av.BlockingIOError, av.EOFError):
            return found

    def _made(self, frame: "AudioFrame") -> "Graph":
        from av.filter import Graph  # noqa: PLC0415 - as above

        form, layout, rate = self._wanted
        graph = Graph()
        graph.threads = 1
        base = {} if frame.time_base is None else {"time_base": str(frame.time_base)}
        source = graph.add(
            "abuffer", sample_rate=str(frame.sample_rate), sample_fmt=frame.format.name,
            channel_layout=frame.layout.name, **base,
        )  # fmt: skip
        made = graph.add("aformat", sample_rates=str(rate), sample_fmts=form, channel_layouts=layout)
        sink = graph.add("abuffersink")
        source.link_to(made)
        made.link_to(sink)
        graph.configure()
        if self._frame_size:
            graph.set_audio_frame_size(self._frame_size)
        return graph
