# Runs the service on workerd itself, as `wrangler.jsonc` does on Cloudflare:
#   bun run build:workerd && workerd serve workerd.capnp
# The settings are those of the environment. HOST and PORT mean nothing to it: where it listens is said here, or by
# --socket-addr=http=127.0.0.1:8080.

using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [(name = "todos", worker = .todos), (name = "internet", network = .network)],
  sockets = [(name = "http", address = "127.0.0.1:3000", http = (), service = "todos")],
);

# The database and the mail server may be on this machine.
const network :Workerd.Network = (
  allow = ["public", "private", "local"],
  tlsOptions = (trustBrowserCas = true),
);

const todos :Workerd.Worker = (
  modules = [
    (name = "todos.js", esModule = embed "build/workerd/todos.js"),
    (name = "argon2.wasm", wasm = embed "build/workerd/argon2.wasm"),
    (name = "common-passwords.txt", text = embed "build/workerd/common-passwords.txt"),
    (name = "swagger-ui.css.txt", text = embed "build/workerd/swagger-ui.css.txt"),
    (name = "swagger-ui-bundle.js.txt", text = embed "build/workerd/swagger-ui-bundle.js.txt"),
  ],
  compatibilityDate = "2026-11-01",
  bindings = [
    (name = "ACCESS_TOKEN_TTL", fromEnvironment = "ACCESS_TOKEN_TTL"),
    (name = "CHANGES_TTL", fromEnvironment = "CHANGES_TTL"),
    (name = "CORS_ORIGINS", fromEnvironment = "CORS_ORIGINS"),
    (name = "DATABASE_AUTH_TOKEN", fromEnvironment = "DATABASE_AUTH_TOKEN"),
    (name = "DATABASE_STALE_READS", fromEnvironment = "DATABASE_STALE_READS"),
    (name = "DATABASE_SYNC_URL", fromEnvironment = "DATABASE_SYNC_URL"),
    (name = "DATABASE_URL", fromEnvironment = "DATABASE_URL"),
    (name = "FAILED_LOG_INS_PER_HOUR", fromEnvironment = "FAILED_LOG_INS_PER_HOUR"),
    (name = "HASH_CONCURRENCY", fromEnvironment = "HASH_CONCURRENCY"),
    (name = "JWT_AUDIENCE", fromEnvironment = "JWT_AUDIENCE"),
    (name = "JWT_ISSUER", fromEnvironment = "JWT_ISSUER"),
    (name = "JWT_SECRET", fromEnvironment = "JWT_SECRET"),
    (name = "LISTS_PER_USER", fromEnvironment = "LISTS_PER_USER"),
    (name = "LOG_FORMAT", fromEnvironment = "LOG_FORMAT"),
    (name = "LOG_LEVEL", fromEnvironment = "LOG_LEVEL"),
    (name = "MAILS_PER_HOUR", fromEnvironment = "MAILS_PER_HOUR"),
    (name = "MAIL_FROM", fromEnvironment = "MAIL_FROM"),
    (name = "MAIL_URL", fromEnvironment = "MAIL_URL"),
    (name = "MIGRATE_ON_START", fromEnvironment = "MIGRATE_ON_START"),
    (name = "NODE_ENV", fromEnvironment = "NODE_ENV"),
    (name = "OTP_DAILY_LIMIT", fromEnvironment = "OTP_DAILY_LIMIT"),
    (name = "OTP_RESEND_AFTER", fromEnvironment = "OTP_RESEND_AFTER"),
    (name = "OTP_TTL", fromEnvironment = "OTP_TTL"),
    (name = "PASSWORD_MIN_LENGTH", fromEnvironment = "PASSWORD_MIN_LENGTH"),
    (name = "REFRESH_LEEWAY", fromEnvironment = "REFRESH_LEEWAY"),
    (name = "REFRESH_TOKEN_TTL", fromEnvironment = "REFRESH_TOKEN_TTL"),
    (name = "RESET_TTL", fromEnvironment = "RESET_TTL"),
    (name = "SIGN_UPS_PER_HOUR", fromEnvironment = "SIGN_UPS_PER_HOUR"),
    (name = "TODOS_PER_USER", fromEnvironment = "TODOS_PER_USER"),
    (name = "TRASH_TTL", fromEnvironment = "TRASH_TTL"),
    (name = "TRUST_PROXY", fromEnvironment = "TRUST_PROXY"),
  ],
);
