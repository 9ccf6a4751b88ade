# SPDX-License-Identifier: MIT
# Completion of vmdk(1) for bash.

_vmdk() {
  local verbs="info map read write create snapshot ddb hash compare convert measure help"
  local kinds="monolithicSparse monolithicFlat twoGbMaxExtentSparse twoGbMaxExtentFlat vmfs vmfsThin
    vmfsPreallocated vmfsEagerZeroedThick vmfsSparse"
  local targets="workstation fusion esxi virtualbox qemu ova aws"
  local messages="--help -h --quiet -q --verbose -v"
  local paths="--allow-path --allow-any-path --encoding --no-lock -U"
  local reading="--recover --no-parent --member"
  local new="--output-kind -O --grain --set --zero-grains --target --split --adapter --hwversion
    --preallocate --cid"
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
        convert | measure) kinds="raw streamOptimized $kinds" ;;
        snapshot) kinds="monolithicSparse twoGbMaxExtentSparse vmfsSparse" ;;
      esac
      mapfile -t COMPREPLY < <(compgen -W "$kinds" -- "$word")
      return
      ;;
    --target)
      mapfile -t COMPREPLY < <(compgen -W "$targets" -- "$word")
      return
      ;;
    --from)
      mapfile -t COMPREPLY < <(compgen -W "vmdk raw" -- "$word")
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
      --zero | --discard | --remove | --capacity | --level | --manifest-name)
      return
      ;;
  esac

  case $verb in
    info) options="--json --chain --extents --keys --target --from" ;;
    map) options="--json --svg --from" ;;
    read) options="--output -o" ;;
    write)
      options="--input -i --zero --discard"
      common="$messages $paths --threads --progress"
      ;;
    create)
      options="$new"
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
    hash) options="--algorithm --from" ;;
    compare) options="--raw-a --raw-b" ;;
    convert)
      options="$new --capacity --level --force --salvage --manifest --manifest-name --sha1 --digest
        --from"
      ;;
    measure) options="$new --capacity --level --exact --json --from" ;;
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
