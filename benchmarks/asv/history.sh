#!/usr/bin/env bash
# Run this checkout's suite on the package of other commits, and keep the figures:
#     benchmarks/asv/history.sh COMMIT... [-- OPTIONS OF asv run]
# after `make asv`. PYTHON, an absolute path, is another Python that has asv.
# A benchmark of what a commit does not have yet fails there, and has no figure.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-$(cd ../.. && pwd)/.venv/bin/python}
commits=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    commits+=("$(git rev-parse "$1")")
    shift
done
[ $# -eq 0 ] || shift
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"; git worktree prune' EXIT
"$python" -m asv machine --yes
for commit in "${commits[@]}"; do
    git worktree add --quiet --detach "$scratch/$commit" "$commit"
    # asv drops PYTHONPATH, and takes this instead
    ASV_PYTHONPATH=$scratch/$commit "$python" -m asv run --python same \
        --set-commit-hash "$commit" "$@" || true  # it fails if one benchmark does
done
