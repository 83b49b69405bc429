# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The command `model`: checks the models in docs/model with spin, each in the configurations that
# docs/model/configurations lists, and that each broken variant of them is caught.

print_model_help() {
  cat << 'END_OF_HELP'
usage: ./paddock model [--full] [--jobs=N]

Checks the SPIN models of docs/model: every configuration must hold, every broken variant must be
caught by the property that is to catch it. Installs spin and gcc if they are missing.

  --full     larger configurations as well; can take hours, and 4 GB of memory for each job
  --jobs=N   how many run at the same time, 1 to 64 (default: one for each core)

Exit status: 0 all as expected; 1 something is not; 2 bad usage; 3 a package cannot be installed, or
a checker cannot be built. docs/model/README.md tells what is modelled.
END_OF_HELP
}

# list_configurations SETS: one line for each, numbered, as check_model wants it.
list_configurations() {
  awk -v sets=" $1 " '!/^#/ && NF && index(sets, " " $1 " ") { print ++n, $0 }' \
    "$PADDOCK_ROOT/docs/model/configurations"
}

# Prints the table of the rows in the folder. Status 1 if something is not as expected.
print_model_table() {
  local rows=$1 wanted=$2
  cat "$rows"/* 2> /dev/null | awk -F'|' -v wanted="$wanted" '
    function line(verdict) {
      return sprintf("%-11s %-50s %9s %8s  %-16s %6.1f  %s", $2, $3 == "" ? "-" : $3, $4, $5, $7, $8 / 10, verdict)
    }
    BEGIN { printf "%-11s %-50s %9s %8s  %-16s %6s\n", "model", "configuration", "states", "depth", "result", "s" }
    { verdict = $1 == "ok" ? "" : "FAILED: wanted " $6 }
    $3 ~ /BROKEN_/ { variants[++broken] = line(verdict) }
    $3 !~ /BROKEN_/ { print line(verdict) }
    $1 == "ok" { good++ }
    END {
      print "\nbroken variants, and the property that catches each"
      for (i = 1; i <= broken; i++) print variants[i]
      printf "\n%d as expected, %d not\n", good, wanted - good
      exit good == wanted && wanted > 0 ? 0 : 1
    }'
}

run_model_command() {
  local sets="short broken" jobs rows count status=0 argument
  jobs=$(nproc)
  for argument in "$@"; do
    case $argument in
      --full) sets="short broken full" ;;
      --jobs=*)
        jobs=${argument#--jobs=}
        if [[ ! $jobs =~ ^[1-9][0-9]?$ ]] || ((jobs > 64)); then
          usage_error "--jobs must be a whole number from 1 to 64, not '$jobs'"
        fi
        ;;
      --help | -h)
        print_model_help
        return 0
        ;;
      *) usage_error "model takes --full and --jobs=N, not '$argument'" ;;
    esac
  done
  # shellcheck disable=SC2034  # install_missing reads it.
  NEEDED_TOOLS=(gcc spin)
  install_missing "${MODEL_PACKAGES[@]}"
  rows=$PADDOCK_SCRATCH/rows
  mkdir "$rows"
  list_configurations "$sets" > "$PADDOCK_SCRATCH/list"
  count=$(wc -l < "$PADDOCK_SCRATCH/list")
  echo "paddock: $count configurations of the models, $jobs at a time" >&2
  # shellcheck disable=SC2016  # They expand in the inner shell.
  xargs -r -P "$jobs" -d '\n' -n 1 bash -c 'read -ra words <<< "$3" && exec "$1" "$2" "${words[@]}"' \
    _ "$PADDOCK_ROOT/tools/launcher/check_model" "$rows" < "$PADDOCK_SCRATCH/list" || status=$?
  if ((status != 0)); then
    fail_environment "a checker could not be built or run"
  fi
  print_model_table "$rows" "$count"
}
