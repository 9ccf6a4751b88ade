# SPDX-License-Identifier: MIT
# Completion of vmdk(1) for bash.

_vmdk() {
  local verbs="info map read write create snapshot ddb hash compare convert help"
  local kinds="monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat vmfs vmfsThin
    vmfsPreallocated vmfsEagerZeroedThick vmfsSparse"
  local messages="--help -h --quiet -q --verbose -v"
  local paths="--allow-path --allow-any-path --encoding --no-lock -U"
  local reading="--recover --no-parent --member"
  local common="$messages $paths $reading --threads --progress"
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
      case $verb in
        convert) kinds="raw" ;;
        snapshot) kinds="monolithicSparse twoGbMaxExtentSparse vmfsSparse" ;;
      esac
      mapfile -t COMPREPLY < <(compgen -W "$kinds" -- "$word")
      return
      ;;
    --adapter)
      mapfile -t COMPREPLY < <(compgen -W "ide buslogic lsilogic legacyESX pvscsi lsisas1068 sata nvme" -- "$word")
      return
      ;;
    --preallocate)
      mapfile -t COMPREPLY < <(compgen -W "none reserve zeros" -- "$word")
      return
      ;;
    --member | --encoding | --threads | --grain | --split | --hwversion | --cid | --set | --hint | \
      --zero | --discard | --remove)
      return
      ;;
  esac

  case $verb in
    info) options="--json --chain --extents --keys" ;;
    map) options="--json --svg" ;;
    read) options="--output -o" ;;
    write)
      options="--input -i --zero --discard"
      common="$messages $paths --threads --progress"
      ;;
    create)
      options="--output-kind -O --grain --set --zero-grains --split --adapter --hwversion
        --preallocate --cid"
      common="$messages --progress"
      ;;
    snapshot)
      options="--output-kind -O --grain --set --zero-grains --hint"
      common="$messages $paths"
      ;;
    ddb)
      options="--remove --json"
      common="$messages $paths $reading"
      ;;
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
