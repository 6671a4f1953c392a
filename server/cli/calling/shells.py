"""The scripts with which shells ask what may be typed. They run the program that is on the line, as it stands there."""

from server.settings import ASK

BASH = f"""\
# bash completion of project-memory
_project_memory() {{
    local line="${{COMP_LINE:0:COMP_POINT}}" found prefix="" word
    # bash takes `name=value` for three words: what stands before the value must not be completed again.
    word="${{line##*[[:space:]]}}"
    [[ $word == *=* && $COMP_WORDBREAKS == *=* ]] && prefix="${{word%"${{word##*=}}"}}"
    COMPREPLY=()
    while IFS=$'\\t' read -r found _; do
        [[ -n $found ]] && COMPREPLY+=("${{found#"$prefix"}}")
    done < <("$1" {ASK} "$line" 2>/dev/null)
    [[ ${{#COMPREPLY[@]}} -eq 1 && ${{COMPREPLY[0]}} == *= ]] && compopt -o nospace
    if [[ ${{#COMPREPLY[@]}} -eq 0 && $word == *=@* ]]; then
        while IFS= read -r found; do COMPREPLY+=("@$found"); done < <(compgen -f -- "${{word#*=@}}")
        compopt -o nospace
    fi
}}
complete -o default -F _project_memory project-memory
"""

ZSH = f"""\
#compdef project-memory
_project_memory() {{
    local line about found
    local -a plain open
    for line in "${{(@f)$(${{words[1]}} {ASK} "${{LBUFFER}}" 2>/dev/null)}}"; do
        found="${{line%%$'\\t'*}}" about="${{line#*$'\\t'}}"
        [[ -z $found ]] && continue
        [[ $about == $line ]] && about=""
        if [[ $found == *= ]]; then open+=("${{found//:/\\\\:}}:$about"); else plain+=("${{found//:/\\\\:}}:$about"); fi
    done
    if (( ${{#plain}} + ${{#open}} == 0 )); then
        [[ $PREFIX == *=@* ]] && compset -P '*=@'
        _files
        return
    fi
    (( ${{#plain}} )) && _describe -t words word plain
    (( ${{#open}} )) && _describe -t parameters parameter open -S ''
}}
if [ "$funcstack[1]" = "_project_memory" ]; then _project_memory "$@"; else compdef _project_memory project-memory; fi
"""

FISH = f"""\
# fish completion of project-memory
function __project_memory_candidates
    set -l words (commandline -opc)
    set -l found ($words[1] {ASK} (commandline -cp | string collect) 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c project-memory -f -k -a '(__project_memory_candidates)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
