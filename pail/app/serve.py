"""The server on 127.0.0.1. Local only: no sharing, no telemetry, and only the requests that the page needs."""

from __future__ import annotations

import os
import re
import tempfile
import threading
import weakref
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

from pail._install import install_hint
from pail.app.draws import Bench
from pail.app.reports import Reports
from pail.core.checks import as_number
from pail.dataset.recipe import combined_options, make_recipe
from pail.warm import warm_up

HOST = "127.0.0.1"
HOSTS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
ANSWERED = re.compile(
    r"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)/?|/(assets|static|svelte)/.*"
    r"|/report/\d+|/gradio_api/(startup-events|app_id|queue/join|queue/data|heartbeat/\w+|reset|cancel|login_check|file=(?!https?:).*)/?"
)
MOST_BYTES = 8 << 20  # limit of a request; a painted region has at most 2 MB
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


class Guard:
    """Filter requests to gradio: refuse uploads, proxies and tools, and requests with the name of another host.

    If the name of another page is made to point to this machine (DNS rebinding), its requests still contain that name.
    Requests that another page sends here are recognized by the origin that the browser adds.
    """

    def __init__(self, app: App, reports: Reports | None = None) -> None:
        self.app, self.reports = app, reports or Reports()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = {key.lower(): value.decode("latin-1") for key, value in scope["headers"]}
        status = refusal(scope["path"], headers)
        if status:
            await _answer(send, status, b"Not part of this page.")
            return
        report = self.reports.read(scope["path"])
        if report is not None:
            await _answer(_with_policy(send), 200, report, b"text/html; charset=utf-8")
            return
        await self.app(scope, _bounded(receive), _with_policy(send))


def refusal(path: str, headers: dict[bytes, str]) -> int:
    """The status with which a request is refused, or 0."""
    host = headers.get(b"host", "")
    if not HOSTS.fullmatch(host) or headers.get(b"origin", f"http://{host}") != f"http://{host}":
        return 403
    if not ANSWERED.fullmatch(path):
        return 404
    length = headers.get(b"content-length", "0")
    return 413 if not length.isdecimal() or int(length) > MOST_BYTES else 0


async def _answer(send: Send, status: int, body: bytes, kind: bytes = b"text/plain") -> None:
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
    await send({"type": "http.response.body", "body": body})


def _bounded(receive: Receive) -> Receive:
    """Abort a request without a declared length whose body is larger than allowed."""
    left = MOST_BYTES

    async def receive_some() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        return message if left >= 0 else {"type": "http.disconnect"}

    return receive_some


def _with_policy(send: Send) -> Send:
    """Add the policy that prevents the browser from loading anything from other hosts."""

    async def send_with(message: Message) -> None:
        if message["type"] == "http.response.start":
            extra = [(b"content-security-policy", POLICY.encode()), (b"referrer-policy", b"no-referrer")]
            message = {**message, "headers": [*message.get("headers", ()), *extra]}
        await send(message)

    return send_with


def tune(
    folder: str | os.PathLike[str],
    *,
    source: str | os.PathLike[str] | None = None,
    defects: str | os.PathLike[str] | None = None,
    recipe: str | os.PathLike[str] | None = None,
    port: int | None = None,
    browser: bool = True,
    wait: bool = True,
    **options: Any,
) -> Any:
    """Open a local page that shows anomalies on your own images while you
    change settings, and exports a recipe.

    Parameters
    ----------
    folder : path
        Normal images: a folder, which is searched with its subfolders, a
        pattern, or a file that lists them.
    source : path, optional
        Source images, selected in the same ways. Without them, the
        techniques use the normal image itself.
    defects : path, optional
        Your own defects: a folder or an annotation file that
        `pail.Defects.read` can read.
    recipe : path, optional
        A recipe file to start from.
    port : int, optional
        Port of the server; by default the first free one from 7860 on.
    browser : bool, default True
        Whether to open the page in the browser.
    wait : bool, default True
        Whether the call returns only after the server was stopped (Ctrl-C).
    **options
        Options of `pail.generate` with which the page starts, such as
        ``exclude="*_mask.png"`` or ``tile=512``. They take precedence over
        those of `recipe`.

    Returns
    -------
    gradio.Blocks
        The page; ``close()`` stops its server.

    Raises
    ------
    TypeError, ValueError
        If an argument is wrong or there are no images.
    ImportError
        If gradio is missing.
    """
    number = None if port is None else int(as_number("port", port, 1, 65535, integer=True))
    given = combined_options(recipe, defects=defects, **options)
    make_recipe(**given)
    bench = Bench(folder, source, given)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio also reads it during import
    os.environ.pop("GRADIO_ALLOWED_PATHS", None)  # gradio would use it instead of an empty list
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    cache = tempfile.TemporaryDirectory(prefix="pail-tune-", ignore_cleanup_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = cache.name
    try:
        from pail.app.page import build, look
    except ImportError as error:
        raise ImportError(f"`pail tune` needs gradio: {install_hint('app')} ({error})") from error
    from starlette.middleware import Middleware

    threading.Thread(target=warm_up, daemon=True).start()
    page, events = build(bench, Path(cache.name))
    weakref.finalize(page, cache.cleanup)
    page.launch(
        server_name=HOST,
        server_port=number,
        share=False,
        inbrowser=browser,
        prevent_thread_lock=not wait,
        quiet=True,
        footer_links=[],
        allowed_paths=[],
        max_file_size=MOST_BYTES,
        _frontend=False,  # gradio would request its own page at startup, which may time out under load
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        app_kwargs={
            "middleware": [Middleware(Guard, reports=events.reports)],
            "docs_url": None,
            "redoc_url": None,
            "openapi_url": None,
        },
        **look(),
    )
    return page
