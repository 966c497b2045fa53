"""What differs between releases of JupyterHub. The rest of the package is written for 6.

Nothing else differs for us, as the session tests on both say (``make soak``):
``apply_user_options`` came with 5.3; routes, scopes, progress and the database are the same.
"""

from __future__ import annotations

from jupyterhub.handlers.base import BaseHandler
from tornado import web

# Set only where a token came with the request, but 6.1.1 reads it of any: somebody whose login has
# ended would be answered by 500 instead of 403 when they start a server.
if not hasattr(BaseHandler, "_token_authenticated"):
    BaseHandler._token_authenticated = False

try:
    from jupyterhub.spawner import SpawnException
except ImportError:

    class SpawnException(web.HTTPError):  # type: ignore[no-redef]
        """JupyterHub 6's exception for 5, which shows ``jupyterhub_message`` to the user.

        There it makes no difference in the metrics: 5 has no reasons.
        """

        def __init__(
            self,
            message: str,
            *,
            reason: str,
            log_message: str = "",
            message_html: str = "",
            status_code: int = 400,
        ) -> None:
            super().__init__(status_code, "%s", log_message or message, reason=reason)
            self.message = self.jupyterhub_message = message
            self.message_html = self.jupyterhub_html_message = message_html


__all__ = ["SpawnException"]
