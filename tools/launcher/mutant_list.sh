# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# Reads tools/mutants/list, whose head says what an entry looks like, and checks that it fits the
# sources: every edit applies exactly once, and every catcher exists.

mutant_names=()
mutant_mechanisms=()
declare -A mutant_mechanism=() mutant_bug=() mutant_file=() mutant_catchers=() mutant_hangs=()
declare -A mutant_old=() mutant_new=() mutant_removed=()
list_problems=()

list_problem() {
  list_problems+=("tools/mutants/list: $1")
}

# replace_once FILE OLD NEW: prints the file with the lines OLD replaced by the lines NEW. Status 4
# if OLD does not stand in it, 5 if it does more than once.
replace_once() {
  OLD=$2 NEW=$3 awk 'BEGIN { RS = "\001"; ORS = "" }
    { text = "\n" $0 }
    END {
      old = "\n" ENVIRON["OLD"]
      at = index(text, old)
      if (at == 0) exit 4
      if (index(substr(text, at + 1), old)) exit 5
      print substr(text, 2, at - 1) ENVIRON["NEW"] substr(text, at + length(old))
    }' "$1"
}

parse_mutant_list() {
  local line number=0 name='' words
  while IFS= read -r line; do
    number=$((number + 1))
    case $line in
      '' | '#'*)
        name=''
        continue
        ;;
      'mechanisms '*)
        read -r -a words <<< "${line#* }"
        mutant_mechanisms+=("${words[@]}")
        continue
        ;;
      'mutant '*)
        name=${line#* }
        [[ $name =~ ^[a-z0-9-]+$ ]] || list_problem "line $number: a name is of a-z, 0-9 and -"
        [[ -z ${mutant_mechanism[$name]+x} ]] || list_problem "line $number: '$name' is there twice"
        mutant_names+=("$name")
        mutant_mechanism[$name]='' mutant_old[$name]='' mutant_new[$name]=''
        continue
        ;;
    esac
    if [[ -z $name ]]; then
      list_problem "line $number belongs to no mutant"
      continue
    fi
    case $line in
      'mechanism '*) mutant_mechanism[$name]=${line#* } ;;
      'bug '*) mutant_bug[$name]+=${mutant_bug[$name]:+ }${line#* } ;;
      'file '*) mutant_file[$name]=${line#* } ;;
      'catch '*) mutant_catchers[$name]+=${line#* }$'\n' ;;
      'hangs')
        # shellcheck disable=SC2034  # Read by mutants.sh.
        mutant_hangs[$name]=yes
        ;;
      '-'*)
        mutant_old[$name]+=${line:1}$'\n'
        mutant_removed[$name]+=${line:1}$'\n'
        ;;
      '+'*) mutant_new[$name]+=${line:1}$'\n' ;;
      ' '*)
        mutant_old[$name]+=${line:1}$'\n'
        mutant_new[$name]+=${line:1}$'\n'
        ;;
      *) list_problem "line $number: no such field" ;;
    esac
  done < "$PADDOCK_ROOT/tools/mutants/list"
}

check_edit() {
  local name=$1 file=$PADDOCK_ROOT/${mutant_file[$1]:-} old=${mutant_old[$1]:-} status=0
  if [[ -z ${mutant_file[$name]:-} || ! -f $file ]]; then
    list_problem "$name: there is no file '${mutant_file[$name]:-}'"
  elif [[ -z $old || $old == "${mutant_new[$name]:-}" ]]; then
    list_problem "$name: nothing is replaced"
  else
    replace_once "$file" "$old" '' > /dev/null || status=$?
    case $status in
      0) ;;
      4) list_problem "$name: the text to replace does not stand in ${mutant_file[$name]}" ;;
      5) list_problem "$name: the text to replace stands in ${mutant_file[$name]} more than once" ;;
      *) list_problem "$name: cannot read ${mutant_file[$name]}" ;;
    esac
  fi
}

# check_catcher NAME CATCHER
check_catcher() {
  local kind what filter package part
  read -r kind what filter <<< "$2"
  case $kind in
    explore)
      grep -qF ".name = \"$what\"" "$PADDOCK_ROOT"/stress/explore/*_scenarios.cc ||
        list_problem "$1: there is no scenario '$what'"
      ;;
    stress) [[ $what == --* ]] || list_problem "$1: stress takes flags, not '$what'" ;;
    test)
      package=$PADDOCK_ROOT/${what#//}
      package=${package%:*}
      if ! grep -qsF "\"${what#*:}\"" "$package/BUILD.bazel"; then
        list_problem "$1: there is no test '$what'"
      fi
      part=${filter#*.}
      if [[ -n $part && $part != *'*'* ]] && ! grep -qsE "[ (]${part%%/*}\)" "$package"/*.cc; then
        list_problem "$1: no test of '$what' is called '$part'"
      fi
      ;;
    *) list_problem "$1: a catcher is explore, test or stress, not '$kind'" ;;
  esac
}

check_mutant() {
  local name=$1 catcher
  [[ -n ${mutant_bug[$name]:-} ]] || list_problem "$name: what the bug is does not stand there"
  [[ " ${mutant_mechanisms[*]} " == *" ${mutant_mechanism[$name]} "* ]] ||
    list_problem "$name: no mechanism '${mutant_mechanism[$name]}'"
  [[ -n ${mutant_catchers[$name]:-} ]] || list_problem "$name: nobody must catch it"
  check_edit "$name"
  while IFS= read -r catcher; do
    [[ -z $catcher ]] || check_catcher "$name" "$catcher"
  done <<< "${mutant_catchers[$name]:-}"
}

# An order that is stronger than relaxed and weaker than seq_cst was chosen for a reason; a mutant that
# weakens it shows that somebody would notice.
check_orders() {
  local file line name edits
  while IFS=: read -r file line; do
    edits=$(for name in "${mutant_names[@]}"; do
      [[ ${mutant_file[$name]:-} != "$file" ]] || printf '%s' "${mutant_removed[$name]:-}"
    done)
    grep -qxF -- "$line" <<< "$edits" || list_problem "no mutant weakens the order in $file: $line"
  done < <(cd "$PADDOCK_ROOT" &&
    grep -rsE --include='*.h' --include='*.cc' 'sync::(acquire|release|acq_rel)\>' \
      arch core concurrency | grep -vE '^concurrency/model/|:[[:space:]]*//')
}

# Exits with status 3, naming all that is wrong.
read_mutant_list() {
  local name mechanism
  [[ -r $PADDOCK_ROOT/tools/mutants/list ]] || fail_environment "cannot read tools/mutants/list"
  parse_mutant_list
  ((${#mutant_names[@]} > 0)) || list_problem "there is no mutant"
  for name in "${mutant_names[@]}"; do
    check_mutant "$name"
  done
  for mechanism in "${mutant_mechanisms[@]}"; do
    [[ " ${mutant_mechanism[*]} " == *" $mechanism "* ]] ||
      list_problem "no mutant breaks the mechanism '$mechanism'"
  done
  check_orders
  if ((${#list_problems[@]} > 0)); then
    fail_environment "${list_problems[@]}"
  fi
}
