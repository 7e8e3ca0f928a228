"""Completion of the command line for bash and zsh, from the parser itself."""

from __future__ import annotations

import argparse

BASH = """# source <(vmcnet completion bash)
_vmcnet() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" command="${{COMP_WORDS[1]}}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "{commands}" -- "$word")); return
  fi
  case "$command" in
{cases}
  esac
  if [[ "$word" == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$word"))
  else
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$word"))
  fi
}}
complete -F _vmcnet vmcnet
"""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Lines for the shell to read."""
    found = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    cases = [
        f'    {name}) words="{" ".join(o for a in p._actions for o in a.option_strings)}" ;;'
        for name, p in found.choices.items()
    ]
    text = BASH.format(commands=" ".join(found.choices), cases="\n".join(cases))
    load = "autoload -U +X bashcompinit && bashcompinit\n"
    return text if shell == "bash" else load + text.replace("completion bash", "completion zsh")
