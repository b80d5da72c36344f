#!/bin/sh
# From a ticket to a pull request on GitHub: clones the source, lets a program work in it, pushes a branch, opens the request.
#
#   pull-request.sh PROGRAM [ARGUMENT...]
#
# PROGRAM is your coding agent or a script. It runs in a clone of the source, with the ticket as JSON on standard input.
# Whatever it leaves there, committed or not, becomes one commit on the branch agent-smith/TICKET-RUN.
#
# In:   the ticket as JSON, on standard input or in the file that AGENTSMITH_TICKET_FILE names (as a Kubernetes Job)
#       GITHUB_TOKEN     may push and open pull requests; PROGRAM does not get it
#       GITHUB_API_URL   default https://api.github.com; https://HOST/api/v3 for an Enterprise Server
#       GIT_URL          where to clone from and push to, if that is not the page of the source
# Out:  the result with the link, in AGENTSMITH_RESULT_FILE (as a Kubernetes Job: the termination message)
# Needs git, curl and jq.
#
# What a ticket says is data: it reaches files and the standard input of programs, and is never part of a command, of a branch
# or of a path. Of its title the pull request shows what can neither mention anybody nor close another ticket.
#
# It may be run again for the same run, after a crash at any step, and makes no second branch and no second pull request:
#   nothing pushed yet          -> everything from the start, in a fresh clone
#   the branch is there         -> the work is done: only the pull request is missing
#   the pull request is there   -> only the result is missing
set -eu
umask 077

die() {
  printf '%s\n' "$*" >&2
  exit 1
}

[ "$#" -gt 0 ] || die "usage: pull-request.sh PROGRAM [ARGUMENT...]"
: "${GITHUB_TOKEN:?is not set: name it in pass_env of the pipeline}"
for tool in git curl jq; do
  command -v "$tool" >/dev/null || die "$tool is not installed"
done

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

ticket=$dir/ticket.json
result=${AGENTSMITH_RESULT_FILE:-/dev/termination-log}
cat -- "${AGENTSMITH_TICKET_FILE:--}" >"$ticket"

# --- what is to be done, and where ---

field() {
  jq -er "$1 // empty" "$ticket" || die "the ticket has no $1"
}
run=$(field .run)
id=$(field .id)
source=$(field .source.url)
source=${source%/}
source=${source%.git}
name=${source##*/}
owner=${source%/*}
origin=${owner%/*}
owner=${owner##*/}
for word in "$run" "$id" "$name" "$owner"; do
  case $word in
    '' | -* | *[!A-Za-z0-9._-]*) die "not a name that can be part of a branch or an address" ;;
  esac
done
branch=agent-smith/$id-$run
remote=${GIT_URL:-$source.git}
api=${GITHUB_API_URL:-https://api.github.com}/repos/$owner/$name

# --- git and the API, neither of which shows the token in a list of processes ---

export GIT_TERMINAL_PROMPT=0 GIT_CONFIG_COUNT=1
export GIT_CONFIG_KEY_0="credential.$origin.helper"
# shellcheck disable=SC2016 # git evaluates it when it needs the password
export GIT_CONFIG_VALUE_0='!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'
export GIT_AUTHOR_NAME="${GIT_AUTHOR_NAME:-Agent Smith}" GIT_AUTHOR_EMAIL="${GIT_AUTHOR_EMAIL:-agent-smith@localhost}"
export GIT_COMMITTER_NAME="$GIT_AUTHOR_NAME" GIT_COMMITTER_EMAIL="$GIT_AUTHOR_EMAIL"

{
  printf 'authorization: Bearer %s\n' "$GITHUB_TOKEN"
  printf 'accept: application/vnd.github+json\n'
  printf 'content-type: application/json\n'
} >"$dir/headers"

# Prints the status; the answer is in $dir/answer.
ask() {
  curl -sS --max-time 60 -H "@$dir/headers" -o "$dir/answer" -w '%{http_code}' "$@"
}

# Prints the page of the pull request of this run; nothing when there is none.
pull_request() {
  status=$(ask "$api/pulls?state=all&head=$owner:$branch")
  [ "$status" = 200 ] || die "GitHub answered $status to the question for pull requests"
  jq -r '.[0].html_url // empty' "$dir/answer"
}

tell() {
  jq -n --arg summary "$1" --arg url "${2:-}" \
    '{$summary, links: [if $url == "" then empty else {title: "Pull request", $url} end]}' >"$result"
  printf '%s %s\n' "$1" "${2:-}"
  exit 0
}

# --- the work, unless an earlier attempt has done it ---

head=$(git ls-remote --symref -- "$remote" HEAD)
base=$(printf '%s\n' "$head" | sed -n 's,^ref: refs/heads/\([^[:space:]]*\).*,\1,p')
[ -n "$base" ] || die "the source has no default branch yet: push a first commit"
pushed=$(git ls-remote -- "$remote" "refs/heads/$branch")

if [ -z "$pushed" ]; then
  # Two clones: what PROGRAM does to the configuration or the hooks of its own does not run when we push.
  git clone --quiet --bare --single-branch -- "$remote" "$dir/repo.git"
  git clone --quiet --no-hardlinks -- "$dir/repo.git" "$dir/code"
  git -C "$dir/code" remote remove origin
  (
    cd "$dir/code"
    unset GITHUB_TOKEN GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0 AGENTSMITH_RESULT_FILE
    exec "$@" <"$ticket"
  )
  export GIT_DIR="$dir/repo.git" GIT_INDEX_FILE="$dir/index"
  git read-tree HEAD
  git --work-tree="$dir/code" add --all
  tree=$(git write-tree)
  [ "$tree" != "$(git rev-parse 'HEAD^{tree}')" ] || tell "Nothing had to be changed."
  jq -r '"Work on ticket \(.id)\n\n\(.url)\nRun \(.run) of Agent Smith."' "$ticket" >"$dir/message"
  commit=$(git commit-tree "$tree" -p HEAD -F "$dir/message")
  git push --quiet -- "$remote" "$commit:refs/heads/$branch"
fi

# --- the pull request ---

page=$(pull_request)
if [ -z "$page" ]; then
  jq --arg head "$branch" --arg base "$base" '{
    title: "Ticket \(.id): \(.title | gsub("[\\s[:cntrl:]@#/<>`]+"; " ") | .[0:100])",
    body: "For \(.url)\n\nRun `\(.run)` of Agent Smith.",
    $head, $base
  }' "$ticket" >"$dir/request"
  status=$(ask -X POST --data-binary "@$dir/request" "$api/pulls")
  case $status in
    201) page=$(jq -r '.html_url' "$dir/answer") ;;
    # Somebody was faster: an earlier attempt whose answer was on its way.
    422) page=$(pull_request) ;;
  esac
  [ -n "$page" ] || die "GitHub answered $status to the new pull request: $(jq -c '[.message, .errors]' "$dir/answer")"
fi
tell "A pull request waits for review." "$page"
