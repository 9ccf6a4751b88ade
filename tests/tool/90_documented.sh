#!/bin/sh
# SPDX-License-Identifier: MIT
# Each verb and each option of --help stands in the manual page and in the
# completions for bash, zsh and fish.
. "$(dirname "$0")/lib.sh"
completion=$project/src/tool/completion

expect 0 --help
verbs=$(sed -n 's/^  \([a-z]*\)  .*/\1/p' out)
[ "$(echo "$verbs" | wc -w)" -ge 10 ] || fail "no verbs in --help"

# names VERB: its options, one a line.
names() {
  "$VMDK_TOOL" "$1" --help | sed -n 's/^  \(-[^ ]*\) .*/\1/p' | tr ',' '\n'
}

for verb in $verbs; do
  grep -q "'$verb:" "$completion/_vmdk" || fail "zsh: no $verb"
  grep -qE -- "-a $verb( |$)" "$completion/vmdk.fish" || fail "fish: no $verb"
  grep -q "^\.SS $verb\$" "$project/docs/man/vmdk.1" || fail "manual: no $verb"
  [ -n "$(names "$verb")" ] || fail "no options in $verb --help"
  for option in $(names "$verb"); do
    case $option in
      --*) fish="-l ${option#--}" ;;
      *) fish="-s ${option#-}" ;;
    esac
    grep -qE -- "['{,*]$option['},=+[]" "$completion/_vmdk" || fail "zsh: no $option of $verb"
    grep -qE -- "$fish( |\$)" "$completion/vmdk.fish" || fail "fish: no $option of $verb"
    roff=$(echo "$option" | sed 's/-/\\-/g')
    grep -qF -- "$roff" "$project/docs/man/vmdk.1" || fail "manual: no $option of $verb"
  done
done

if command -v bash >/dev/null 2>&1; then
  cat >complete.bash <<'END'
. "$1"
shift
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
compopt() { :; }
_vmdk
printf '%s\n' "${COMPREPLY[@]}"
END
  for verb in $verbs; do
    bash complete.bash "$completion/vmdk.bash" vmdk '' >out || fail "bash: an error"
    grep -qx -- "$verb" out || fail "bash: no $verb"
    for option in $(names "$verb"); do
      bash complete.bash "$completion/vmdk.bash" vmdk "$verb" "$option" >out || fail "bash: an error"
      grep -qx -- "$option" out || fail "bash: no $option of $verb"
    done
  done
  bash complete.bash "$completion/vmdk.bash" vmdk info --json a --ch >out
  [ "$(cat out)" = --chain ] || fail "bash: --ch is not --chain"
  bash complete.bash "$completion/vmdk.bash" vmdk create -O vmfsT >out
  [ "$(cat out)" = vmfsThin ] || fail "bash: no kinds"
  bash complete.bash "$completion/vmdk.bash" vmdk hash --algorithm = sha5 >out
  [ "$(cat out)" = sha512 ] || fail "bash: no algorithms"
fi
if command -v zsh >/dev/null 2>&1; then
  zsh -n "$completion/_vmdk" || fail "zsh: does not parse"
fi
if command -v fish >/dev/null 2>&1; then
  fish --no-execute "$completion/vmdk.fish" || fail "fish: does not parse"
fi
if command -v man >/dev/null 2>&1; then
  LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$project/docs/man/vmdk.1" 2>err >out
  [ ! -s err ] || fail "the manual page has warnings"
fi
