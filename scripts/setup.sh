# Sourced by run and test. `ready run` or `ready test` leaves a .venv with what that purpose needs and sets
# PYTHON. All chatter goes to stderr: the server speaks its protocol on stdout.

ROOT=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
VENV=$ROOT/.venv
LOCK=$ROOT/.venv.lock

say() { printf 'project-memory: %s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

ready() {
  locate_python
  is_current "$1" && return
  take_lock
  trap 'rm -f "$LOCK"' EXIT
  trap 'exit 1' HUP INT TERM
  is_current "$1" || (cd "$ROOT" && install "$1") >&2
  rm -f "$LOCK"
  trap - EXIT HUP INT TERM
  locate_python
}

locate_python() {
  PYTHON=$VENV/bin/python
  [ ! -d "$VENV/Scripts" ] || PYTHON=$VENV/Scripts/python.exe
}

# The mark of a finished set-up is the text it was made from: comparing it starts no other program.
is_current() { [ -x "$PYTHON" ] && [ -f "$VENV/ready-$1" ] && [ "$(<"$VENV/ready-$1")" = "$(wanted)" ]; }
wanted() { printf '%s\n%s' "$ROOT" "$(<"$ROOT/pyproject.toml")"; }

# Several editors may start the server in a fresh clone at once, and any of them may be killed half way.
take_lock() {
  until (set -o noclobber && printf '%s\n' "$$" >"$LOCK") 2>/dev/null; do
    [ -w "$ROOT" ] || fail "cannot write to $ROOT"
    sleep 0.5
    drop_dead_lock
  done
}

# Only one at a time may judge a lock, or a slow judge would remove the lock of whoever came after the dead.
drop_dead_lock() {
  local holder
  mkdir "$LOCK.judge" 2>/dev/null || return 0
  holder=$(cat "$LOCK" 2>/dev/null) || holder=$$
  kill -0 "${holder:-none}" 2>/dev/null || rm -f "$LOCK"
  rmdir "$LOCK.judge"
}

install() {
  local extras=()
  say "setting up $VENV (only now, and when pyproject.toml changes)"
  [ "$1" = run ] || extras=(--group dev)
  if ! command -v uv >/dev/null || ! with_uv ${extras[@]+"${extras[@]}"}; then
    with_pip ${extras[@]+"${extras[@]}"}
  fi
  [ "$1" = run ] || wanted >"$VENV/ready-$1"
  wanted >"$VENV/ready-run"
}

with_uv() {
  if [ ! -x "$PYTHON" ]; then
    rm -rf "$VENV"
    uv venv --quiet --python '>=3.11' "$VENV" || return
    locate_python
  fi
  uv pip install --quiet --python "$PYTHON" --editable . "$@" && return
  say "uv could not install the dependencies; trying pip"
  return 1
}

with_pip() {
  local pip
  "$PYTHON" -m pip --version >/dev/null 2>&1 || create_venv
  pip=("$PYTHON" -m pip install --quiet --disable-pip-version-check)
  # Dependency groups came with pip 25.1; a Python may bring an older one.
  [ $# -eq 0 ] || "${pip[@]}" 'pip>=25.1' || fail "could not upgrade pip in $VENV"
  "${pip[@]}" --editable . "$@" || fail "could not install the dependencies; is a package index reachable?"
}

create_venv() {
  local python
  python=$(find_python) || exit
  rm -rf "$VENV"
  "$python" -m venv "$VENV" || fail "could not create $VENV with $python"
  locate_python
}

find_python() {
  local name
  for name in python3.14 python3.13 python3.12 python3.11 python3 python; do
    if "$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "found no Python 3.11 or newer with its venv and ensurepip modules on PATH;" \
    "install one (Debian, Ubuntu: apt install python3-venv) or install uv"
}
