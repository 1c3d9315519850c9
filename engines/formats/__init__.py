"""One reader and writer per file format; `engines.formats.registry` finds their rows and loads no codec."""
