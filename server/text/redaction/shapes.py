"""What secrets look like, whoever gives them out, and wherever they stand."""

import re

from server.text.redaction.spans import BLANK

TOKEN = "[A-Za-z0-9_-]"
# Not in names that people make of small letters (`sk-fading-circle-of-dots`); looked for near the beginning alone.
VARIED = "(?=[a-z_-]{0,60}[A-Z0-9])"
PRIVATE = r"[A-Z ]*PRIVATE KEY(?: BLOCK)?-----"
# What follows words that begin so: behind some of them anything, as long as it is no name.
BEGINNINGS = {
    rf"{VARIED}{TOKEN}{{20,}}(?:\.[a-z0-9]{{2}}\.[a-z0-9]{{9}})?": """
        glpat- gldt- glrt- glrtr- glcbt- glptt- glft- glsoat- glimt- glagent- gloas- glffct- glwt-
        GOCSPX- ya29. hvs. hvb. hvr. dckr_pat_ dckr_oat_ tskey- pscale_tkn_ pscale_pw_ pscale_oauth_ vercel_blob_rw_
        sb_secret_ sntrys_ sntryu_ lin_api_ lin_oauth_ figd_ sq0atp- sq0csp- tvly- CFPAT- PMAK- CCIPAT_ CCIPRJ_ HRKU-
        lsv2_ dp.pt. dp.st. dp.ct. pcsk_ nfp_ ATCTT
    """,
    "[A-Za-z0-9]{30,}": "hf_ api_org_ gsk_ ntn_ r8_ pplx- xai- csk- ATBB AGE-SECRET-KEY-1",
    "[A-Za-z0-9]{32}_[a-f0-9]{8}": "glsa_",
    "[A-Za-z0-9]{36}": "npm_",
    r"[A-Z0-9]{27}\b": "NRAK-",
    "[A-Za-z0-9_]{30,}": "github_pat_",
    "[A-Za-z0-9+/=]{20,}": "whsec_ glc_eyJ",
    "[A-Za-z0-9+/]{100,}=*": "ABSK fm2_",
    f"{TOKEN}{{40,}}": "pypi-",
    "[a-f0-9]{32,}": "dop_v1_ doo_v1_ dor_v1_ shpat_ shpss_ shpca_ shppa_ dapi sbp_ rubygems_ bkua_",
    r"[0-9A-Z]{16}\b": "AKIA ASIA ABIA ACCA",
    "[0-9A-Za-z_-]{35}": "AIza",
    "[A-Za-z0-9_=-]{20,}": "ATATT",
    r"[a-z0-9]{43}\b": "oy2",
    "[A-Za-z0-9-]{10,}": "xapp-",
}  # fmt: skip


def _word(start: str, rest: str) -> str:
    """Return the shape of a word that starts so. What is literal comes first: it is found without trying the rest."""
    return rf"{start}(?<=\b{start}){rest}"


def _beginnings() -> dict[str, str]:
    found = ((start, rest) for rest, starts in BEGINNINGS.items() for start in starts.split())
    return {start: _word(re.escape(start), rest) for start, rest in found}


# What is in every text that has a secret of a shape, and the shape, or the group `secret` of it.
SHAPES = tuple(
    (needle, re.compile(shape))
    for needle, shape in {
        **_beginnings(),
        "k-": _word("[spr]k-", f"{VARIED}{TOKEN}{{20,}}"),
        "sk_": _word("sk_", "[a-f0-9]{48}"),
        "_live_": _word("[spr]k_live_", "[A-Za-z0-9]{16,}"),
        "_test_": _word("[spr]k_test_", "[A-Za-z0-9]{16,}"),
        "gh": _word("gh", "[pousr]_(?:[A-Za-z0-9]{30,}|[0-9]{1,20}_eyJ[A-Za-z0-9_.-]{30,}[A-Za-z0-9_-])"),
        "SG.": _word(r"SG\.", r"[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}"),
        "xox": _word("xox", "[abceprs](?:[.-]xox[abprs])?-[A-Za-z0-9-]{10,}"),
        "hooks.slack.com": r"hooks\.slack\.com/(?:services|workflows|triggers)/(?P<secret>[A-Za-z0-9/]{20,})",
        "/api/webhooks/": r"discord(?:app)?\.com/api/webhooks/(?P<secret>\d{15,20}/[\w-]{40,100})",
        "webhook.office.com/": r"webhook\.office\.com/webhookb2/(?P<secret>[\w@/-]{60,400})",
        "pat": _word("pat", r"[A-Za-z0-9]{14}\.[a-f0-9]{64}\b"),
        ".atlasv1.": r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,70}",
        "Q~": r"(?<![\w.~-])[\w.~-]{3}\dQ~[\w.~-]{31,34}(?![\w~-])",
        ":AA": r"\b\d{8,10}:AA[\w-]{33}(?![\w-])",
        # The run behind one that is none is passed by: others that begin in it would be tried up to the same end.
        "eyJ": _word("eyJ", rf"(?:{TOKEN}{{10,}}+\.{TOKEN}{{10,}}+\.{TOKEN}{{5,}}|(?P<passed>{TOKEN}*+))"),
        "-----BEGIN": rf"-----BEGIN {PRIVATE}(?s:.*?)(?:-----END {PRIVATE}|\Z)",
        # An image of containers is named by what is behind the @.
        "://": rf"""
            ://(?P<secret>[^\s/:@"'?\#]{{0,200}}:[^\s/"'?\#]{{1,400}}(?=@(?!sha\d{{3}}:))|{TOKEN}{{20,200}}(?=@))
        """.strip(),
        "password": (
            r"\bmachine\s{1,20}\S{1,200}\s{1,20}login\s{1,20}\S{1,200}\s{1,20}password\s{1,20}"
            rf"(?P<secret>(?!{re.escape(BLANK)})\S+)"
        ),
    }.items()
)  # fmt: skip
