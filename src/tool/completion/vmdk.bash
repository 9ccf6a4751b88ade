# SPDX-License-Identifier: MIT
# Completion of vmdk(1) for bash.

_vmdk() {
  local verbs="info map read hash compare convert help"
  local common="--help -h --allow-path --allow-any-path --recover --no-parent --member --encoding
    --threads --progress --quiet -q --verbose -v"
  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD - 1]}"
  local verb="${COMP_WORDS[1]}" options=""
  COMPREPLY=()

  # bash splits --name=value at the sign.
  if [[ $word == "=" ]]; then
    word=""
  elif [[ $before == "=" && $COMP_CWORD -ge 2 ]]; then
    before="${COMP_WORDS[COMP_CWORD - 2]}"
  fi

  if [[ $COMP_CWORD -eq 1 ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$verbs --help --version" -- "$word")
    return
  fi
  case $before in
    --allow-path)
      compopt -o filenames
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return
      ;;
    --progress)
      mapfile -t COMPREPLY < <(compgen -W "auto plain none" -- "$word")
      return
      ;;
    --algorithm)
      mapfile -t COMPREPLY < <(compgen -W "sha256 sha1 md5 sha512" -- "$word")
      return
      ;;
    -O | --output-kind)
      mapfile -t COMPREPLY < <(compgen -W "raw" -- "$word")
      return
      ;;
    --member | --encoding | --threads)
      return
      ;;
  esac

  case $verb in
    info) options="--json --chain --extents --keys" ;;
    map) options="--json --svg" ;;
    read) options="--output -o" ;;
    hash) options="--algorithm" ;;
    compare) options="--raw-a --raw-b" ;;
    convert) options="--output-kind -O --force" ;;
    help)
      mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word")
      return
      ;;
    *) return ;;
  esac
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options $common" -- "$word")
  else
    compopt -o filenames
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
  fi
}

complete -F _vmdk vmdk
