"""Log in through OpenID Connect: Keycloak, Helmholtz AAI, or any other provider.

Copy it to the file that NEARFIELD_HUB_EXTRA names and edit it; docs/how-to/login.md explains each
line. The client's secret and the key that encrypts what the hub keeps of a login are in its
environment (secrets.env): OIDC_CLIENT_SECRET, JUPYTERHUB_CRYPT_KEY.
"""

import os

c = get_config()  # type: ignore[name-defined]  # noqa: F821 - JupyterHub defines it

# The three addresses are in the provider's .well-known/openid-configuration. These are Keycloak's.
issuer = os.environ.get("OIDC_ISSUER", "https://sso.example.org/realms/facility")
endpoints = os.environ.get("OIDC_ENDPOINTS", f"{issuer}/protocol/openid-connect")
public = os.environ.get("NEARFIELD_URL", "https://hub.example.org")

c.JupyterHub.authenticator_class = "generic-oauth"
c.GenericOAuthenticator.login_service = "the facility's login"
c.GenericOAuthenticator.client_id = os.environ.get("OIDC_CLIENT_ID", "nearfield")
c.GenericOAuthenticator.client_secret = os.environ["OIDC_CLIENT_SECRET"]
c.GenericOAuthenticator.basic_auth = True  # how the hub says who it is: every provider knows it
c.GenericOAuthenticator.oauth_callback_url = f"{public}/hub/oauth_callback"
c.GenericOAuthenticator.authorize_url = os.environ.get("OIDC_AUTHORIZE", f"{endpoints}/auth")
c.GenericOAuthenticator.token_url = os.environ.get("OIDC_TOKEN", f"{endpoints}/token")
c.GenericOAuthenticator.userdata_url = os.environ.get("OIDC_USERINFO", f"{endpoints}/userinfo")
c.GenericOAuthenticator.scope = ["openid", "profile", "email"]

# Who somebody is on the cluster: `identity` in nearfield.yaml; who has no account there is refused.
# The name below is what the hub calls them, and without `identity` it is the account too. That is
# safe only where the provider's names are the cluster's accounts, given out by the same people. In
# a federation whoever chooses the name "alice" would get alice's account: map `sub` there.
c.GenericOAuthenticator.username_claim = "preferred_username"
c.GenericOAuthenticator.allow_all = True

# Tokens are kept, encrypted with JUPYTERHUB_CRYPT_KEY, to ask the provider again: who is disabled
# there cannot start a session from the browser any more. Tokens of the hub itself go on working.
# Sessions get access tokens for catalogues from the hub (catalogues.NAME.token in nearfield.yaml).
c.Authenticator.enable_auth_state = True
c.Authenticator.auth_refresh_age = 300
c.Authenticator.refresh_pre_spawn = True
