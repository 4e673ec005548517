"""The few pictograms of the public pages, drawn by us on a 24-unit grid. Always beside words, never alone."""

PATHS = {
    "arrow": "M5 12h13m-5-6 6 6-6 6",
    "check": "M4 12.5 9.5 18 20 6.5",
    "clock": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18m0 4v5l3.5 2",
    "cross": "M6 6l12 12M18 6 6 18",
    "document": "M6 3h8l4 4v14H6zM14 3v4h4M9 12h6M9 16h6",
    "error": "M12 3 2.5 20h19zM12 9v5m0 3v.5",
    "euro": "M17 6.5A7 7 0 0 0 7.5 12 7 7 0 0 0 17 17.5M5 10.5h8M5 13.5h8",
    "external": "M14 4h6v6M20 4l-9 9M10 5H5v14h14v-5",
    "info": "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18m0 8v6m0-9.5V8",
    "people": (
        "M9 5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7M3 20c0-4 2.5-6 6-6s6 2 6 6"
        "m1-14.5a3.2 3.2 0 0 1 0 6.3M18 14.5c2 .8 3 2.6 3 5.5"
    ),
    "place": (
        "M12 3a6.5 6.5 0 0 1 6.5 6.5C18.5 14 12 21 12 21S5.5 14 5.5 9.5A6.5 6.5 0 0 1 12 3"
        "m0 4.2a2.3 2.3 0 1 0 0 4.6 2.3 2.3 0 0 0 0-4.6"
    ),
    "warning": "M12 3 2.5 20h19zM12 9v5m0 3v.5",
}
