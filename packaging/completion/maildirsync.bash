# bash completion for maildirsync(1)

# The daemon knows its roots; without one that answers there is nothing to offer.
_maildirsync_roots() {
  local roots
  roots=$(command maildirsync ${socket:+--control "$socket"} --json status 2>/dev/null |
    python3 -c 'import json, sys; print("\n".join(r["name"] for r in json.load(sys.stdin)["roots"]))' 2>/dev/null)
  COMPREPLY=($(compgen -W "$roots" -- "$cur"))
}

# And its accounts.
_maildirsync_accounts() {
  local accounts
  accounts=$(command maildirsync ${socket:+--control "$socket"} --json status --account '*' 2>/dev/null |
    python3 -c 'import json, sys; print("\n".join(a["name"] for a in json.load(sys.stdin)["accounts"]))' 2>/dev/null)
  COMPREPLY=($(compgen -W "$accounts" -- "$cur"))
}

_maildirsync() {
  local cur prev words cword
  _init_completion || return

  local commands="status flush verify plan cutover move door drain mirror pause resume release reload restore disown repair-index keygen fingerprint doctor setup pair deploy"
  local command="" i socket=""
  for ((i = 1; i < cword; i++)); do
    case ${words[i]} in
      --control) socket=${words[++i]} ;;
      -*) ;;
      *)
        command=${words[i]}
        break
        ;;
    esac
  done

  case $prev in
    --control | --html | --out | --bundle)
      _filedir
      return
      ;;
    --config)
      _filedir toml
      return
      ;;
    --prefix | --into | --path | --root)
      _filedir -d
      return
      ;;
    --accounts | --listen | --pair | --owner | --address) return ;;
    --account | --to | --since | --timeout | --warn-lag | --crit-lag | --name) return ;;
    --freeze | --thaw | --switch | --unswitch | --ssh)
      COMPREPLY=($(compgen -c -- "$cur"))
      return
      ;;
  esac

  local options="--help"
  case $command in
    "") options="--control --json --help --version" ;;
    status) options+=" --watch --warn-lag --crit-lag --account --all" ;;
    flush) options+=" --account --timeout --full" ;;
    verify) options+=" --account --deep --repair --aside-extra --html" ;;
    plan) options+=" --account --html" ;;
    cutover) options+=" --group --freeze --thaw --switch --unswitch --check --rehearse --resume --undo --deep --timeout --hook-timeout --html --yes" ;;
    move)
      options+=" --to --freeze --thaw --switch --unswitch --check --rehearse --resume --undo --deep --timeout --hook-timeout --html --yes"
      [[ $cur == -* ]] || { _maildirsync_accounts && return; }
      ;;
    door) ;;
    release) options+=" --account --yes" ;;
    restore) options+=" --account --since --root --list" ;;
    disown) options+=" --root --account" ;;
    repair-index) options+=" --account" ;;
    keygen) options+=" --out --name" ;;
    setup)
      options+=" --root --accounts --listen --path --pair --force --yes --address --config --prefix --paused --no-start"
      [[ $cur == -* ]] || options="agent receiver"
      ;;
    pair) options+=" --name --path --owner --replace --address --config --prefix --paused --no-start" ;;
    deploy)
      options+=" --paused --tunnel --dry-run --remove --bundle --into --ssh --root --accounts --path --owner --name --address --listen --replace"
      [[ $cur == -* ]] || { _known_hosts_real -a -- "$cur" && return; }
      ;;
    doctor) options+=" --config --prefix" ;;
    fingerprint)
      [[ $cur == -* ]] || { _filedir '@(crt|pem)' && return; }
      ;;
    drain)
      options+=" --adopt --report --quiet-hours"
      [[ $cur == -* ]] || { _maildirsync_roots && return; }
      ;;
    mirror)
      options+=" --adopt --undo-what-users-did"
      [[ $cur == -* ]] || { _maildirsync_roots && return; }
      ;;
  esac
  if [[ -z $command && $cur != -* ]]; then
    options=$commands
  fi
  COMPREPLY=($(compgen -W "$options" -- "$cur"))
} && complete -F _maildirsync maildirsync
