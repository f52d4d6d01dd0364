#!/bin/sh
# Becomes the command of the container. With ENABLE_FLOWER=yes Flower runs beside it, on all
# addresses: whoever reaches it can stop workers, so there must be a password.
set -eu

case "$(printf %s "${ENABLE_FLOWER:-no}" | tr '[:upper:]' '[:lower:]')" in
yes | true | on | 1)
    if [ -z "${FLOWER_BASIC_AUTH:-}${FLOWER_AUTH:-}" ]; then
        echo "ENABLE_FLOWER=yes needs FLOWER_BASIC_AUTH=name:password (or FLOWER_AUTH)." >&2
        exit 2
    fi
    # Twice removed, so that it is no child of the worker.
    (FLOWER_ADDRESS=0.0.0.0 flaskiq flower &)
    ;;
esac

exec "$@"
