"""Which language a file is written in, and what a folder is for, by their names."""

LANGUAGES = {
    "Assembly": "asm s",
    "C": "c h",
    "C#": "cs csx",
    "C++": "cc cpp cxx hh hpp hxx",
    "CSS": "css",
    "Clojure": "clj cljc cljs",
    "Dart": "dart",
    "Elixir": "ex exs",
    "Erlang": "erl hrl",
    "F#": "fs fsi fsx",
    "Fortran": "f f90 f95",
    "GLSL": "frag glsl vert",
    "GraphQL": "gql graphql",
    "Go": "go",
    "Groovy": "gradle groovy",
    "HTML": "htm html",
    "Haskell": "hs",
    "Java": "java",
    "JavaScript": "cjs js jsx mjs",
    "Julia": "jl",
    "Jupyter Notebook": "ipynb",
    "Kotlin": "kt kts",
    "Less": "less",
    "Lua": "lua",
    "Nix": "nix",
    "OCaml": "ml mli",
    "Objective-C": "m mm",
    "PHP": "php",
    "Perl": "pl pm",
    "PowerShell": "ps1 psm1",
    "Protocol Buffers": "proto",
    "Python": "py pyi pyw",
    "R": "r",
    "Ruby": "rake rb",
    "Rust": "rs",
    "SQL": "sql",
    "Sass": "sass scss",
    "Scala": "sc scala",
    "Shell": "bash fish sh zsh",
    "Solidity": "sol",
    "Svelte": "svelte",
    "Swift": "swift",
    "Terraform": "tf",
    "TypeScript": "cts mts ts tsx",
    "Vue": "vue",
    "Zig": "zig",
}
BY_EXTENSION = {f".{extension}": language for language, all_ in LANGUAGES.items() for extension in all_.split()}
PURPOSES = {
    "source code": "app cmd code internal lib packages pkg source src",
    "tests": "__tests__ e2e spec specs test tests",
    "documentation": "doc docs documentation",
    "scripts and tools": "bin scripts tools",
    "examples": "demo demos example examples samples",
    "configuration": ".github .vscode conf config configs deploy infra k8s",
    "assets": "assets images media public res resources static styles",
    "database migrations": "migrations",
    "interface": "api components pages routes templates ui views web",
    "data": "data fixtures",
    "benchmarks": "bench benches benchmarks",
}
PURPOSE_OF = {name: purpose for purpose, names in PURPOSES.items() for name in names.split()}


def language_of(name: str) -> tuple[str, str] | None:
    """Return the language of a file and the extension that tells it, or None."""
    dot = name.rfind(".")
    extension = name[dot:].lower() if dot >= 0 else ""
    return (BY_EXTENSION[extension], extension) if extension in BY_EXTENSION else None


def purpose_of(folder: str, language: str | None) -> str:
    """Return what a folder is for: by its name, else by the language that most of its files are in."""
    return PURPOSE_OF.get(folder.lower()) or (f"mostly {language}" if language else "other files")
