"""A FranceConnect of ours, for demonstrations and tests: invented people, wrong answers on demand.

Pure Python (PyJWT and cryptography come with mozilla-django-oidc). It behaves like FranceConnect v2 where a
service can tell: paths, lives of codes and tokens, refused requests (Y030007), pairwise subjects, signed userinfo,
logout. It refuses to start outside a simulation and off the loopback, and never shows FranceConnect's logo.
"""

from standins.franceconnect.provider import STANDIN_CLIENT, FranceConnectStandin, serve

__all__ = ["STANDIN_CLIENT", "FranceConnectStandin", "serve"]
