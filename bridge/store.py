"""Every file under the hash of its bytes: adopted by rename, whole or not there at all, collected when unused.

    <root>/blobs/ab/<sha256>    every file, manifests included; read-only once it is there
    <root>/assets/<sha256>      one empty file per asset, named after its manifest; its mtime is the last use
    <root>/tmp, <root>/spool    what is not whole yet; emptied when a bridge takes the store over
    <root>/blank                empty files that become manifests and entries of `assets`
    <root>/exports/<key>        files converted for a host, see `bridge.exports`
    <root>/proof                a random word: a client that can read it shares this disk

All methods are called on the event loop. Hashing large files happens in a thread; moving files into place never
does, so between two awaits the store is always consistent.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shutil
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.blanks import Blanks
from bridge.disk import INLINE_BYTES, check_hash, full_said_in_words, hash_of, lock_file, removed_on_failure, sync
from bridge.errors import BadInput, ScenecastError, StoreDamaged, StoreFull, UnknownAsset
from bridge.exports import Exports
from bridge.messages import AssetRow
from engines.draft import Draft, manifest_of
from engines.errors import EnginesError
from engines.manifest import Manifest, manifest_bytes, manifest_from_bytes

_MANIFESTS_KEPT = 1024
_DIGEST = re.compile(r"[0-9a-f]{64}")


class StoreInUse(ScenecastError):
    """Another bridge works on this store."""

    code = "store.in_use"


@dataclass(frozen=True)
class Collected:
    """What a collection removed."""

    assets: int
    files: int
    freed_bytes: int
    left_bytes: int


class Store:
    """Content-addressed files under `root`, with the exports at most `quota_bytes` of them when that is given.

    `fsync` makes every adopted file survive a power cut, at some 5 ms each; without it a power cut may lose the
    newest files, which `verify` then names.
    """

    def __init__(self, root: Path, *, quota_bytes: int | None = None, fsync: bool = False) -> None:
        self.root = root
        self._blobs_root, self._assets_root = str(root / "blobs"), str(root / "assets")
        self.quota_bytes = quota_bytes
        self._fsync = fsync
        for name in ("blobs", "assets", "tmp", "spool", "blank"):
            (root / name).mkdir(parents=True, exist_ok=True)
        self.proof = self._proof()
        self.used_bytes = sum(entry.stat().st_size for entry in self._blobs())
        """Bytes of all blobs; the exports count their own."""
        self.exports = Exports(root)
        self._blanks = Blanks(root / "blank")
        self._manifests: OrderedDict[str, Manifest] = OrderedDict()
        self._pins: Counter[str] = Counter()
        self._collecting = asyncio.Lock()
        self._placed: set[str] | None = None
        """What has arrived since the running collection began."""
        self._lock = -1

    # ------------------------------------------------------------------------------------ ownership

    def claim(self) -> None:
        """Make this process the only one that writes here, and remove what earlier ones left half done.

        Raises `StoreInUse` while another bridge holds the store; the kernel lets go when that process dies.
        """
        lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            lock_file(lock)
        except OSError as error:
            os.close(lock)
            raise StoreInUse(
                f"another bridge works in {self.root}", remedy="stop it, or choose another store folder"
            ) from error
        self._lock = lock
        for name in ("tmp", "spool", "blank"):
            for entry in (self.root / name).iterdir():
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        self.exports.tidy()

    def release(self) -> None:
        """Let another bridge claim the store."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    # -------------------------------------------------------------------------------------- reading

    def has(self, digest: str) -> bool:
        """True when a file with that hash is stored."""
        return self._blob(digest).exists()

    def path(self, digest: str) -> Path:
        """The file with that hash; never to be written to. Raises `UnknownAsset`."""
        path = self._blob(digest)
        if not path.exists():
            raise UnknownAsset(f"the store holds no file {digest}")
        return path

    def is_whole(self, digest: str) -> bool:
        """True when the asset and every one of its parts is in the store (by presence; `verify` reads them)."""
        try:
            manifest = self.manifest(digest)
        except (UnknownAsset, StoreDamaged):
            return False
        return all(self.has(part.digest) for part in manifest.parts)

    def manifest(self, digest: str) -> Manifest:
        """What is known of an asset. Raises `UnknownAsset`, and `StoreDamaged` when it cannot be read."""
        if digest in self._manifests:
            self._manifests.move_to_end(digest)
            return self._manifests[digest]
        if not self._entry(digest).exists():
            raise UnknownAsset(f"the store holds no asset {digest}", remedy="it may have been collected; make it again")
        manifest = self._read_manifest(digest)
        self._remember(digest, manifest)
        return manifest

    def _remember(self, digest: str, manifest: Manifest) -> None:
        self._manifests[digest] = manifest
        if len(self._manifests) > _MANIFESTS_KEPT:
            self._manifests.popitem(last=False)

    def row(self, digest: str) -> AssetRow:
        """An asset as messages show it. Raises `UnknownAsset`, `StoreDamaged`."""
        return _row(digest, self.manifest(digest))

    def assets(self) -> list[str]:
        """Digests of all assets."""
        return sorted(os.listdir(self.root / "assets"))

    def touch(self, digest: str) -> None:
        """Count now as the asset's last use; unknown assets are ignored."""
        if self._placed is not None:
            self._placed.add(digest)
        try:
            os.utime(self._entry(digest))
        except FileNotFoundError:
            return

    async def verify(self, digest: str) -> None:
        """Read an asset, or a single file, again. Raises `StoreDamaged` naming the part, `UnknownAsset`."""
        if not self._entry(digest).exists():
            await asyncio.to_thread(check_hash, self.path(digest), digest, f"file {digest}")
            return
        path = self._blob(digest)
        await asyncio.to_thread(check_hash, path, digest, f"the manifest of asset {digest}")
        manifest = self._read_manifest(digest)
        for part in manifest.parts:
            what = f"part {part.name!r} of asset {manifest.name or digest}"
            await asyncio.to_thread(check_hash, self._blob(part.digest), part.digest, what)

    # --------------------------------------------------------------------------------------- adding

    async def adopt(self, file: Path, *, expect: str | None = None) -> str:
        """Take `file` away into the store; returns its hash.

        Raises `StoreDamaged` when the bytes are not what `expect` says, and `StoreFull`; the file is gone either way.
        """
        with full_said_in_words(), removed_on_failure(file):
            digest = await self._hashed(file)
            if expect is not None and digest != expect:
                raise StoreDamaged(f"the bytes hash to {digest}, expected {expect}", remedy="send the file again")
            self._place({digest: file})
        return digest

    async def adopt_asset(self, draft: Draft, folder: Path, provenance: Mapping[str, Any]) -> AssetRow:
        """Take a drafted asset's files out of `folder` into the store, write its manifest, and list it.

        Raises `StoreFull`; then nothing of the asset is listed.
        """
        with full_said_in_words():
            files: dict[str, Path] = {}
            digests: dict[str, str] = {}
            for part in draft.parts:
                if Path(part.file).name != part.file or part.file in ("", ".", ".."):
                    raise StoreDamaged(f"part {part.name!r} names the file {part.file!r}, expected a bare file name")
                digests[part.name] = await self._hashed(folder / part.file)
                files[digests[part.name]] = folder / part.file
            return self._list(manifest_of(draft, digests, provenance), files)

    async def adopt_upload(self, file: Path, digest: str, media_type: str, name: str) -> AssetRow:
        """Take an uploaded file in under its announced hash and list it as an asset of its own.

        Raises `StoreDamaged` for other bytes, `BadInput` for a file that no decoder of ours reads, `StoreFull`.
        """
        with removed_on_failure(file):
            found = await asyncio.to_thread(hash_of, file)
            if found != digest:
                raise StoreDamaged(f"the bytes hash to {found}, expected {digest}", remedy="send the file again")
            manifest = await asyncio.to_thread(_manifest_of_file, file, digest, media_type, name)
            with full_said_in_words():
                return self._list(manifest, {digest: file})

    async def list_file(self, digest: str, media_type: str, name: str) -> AssetRow:
        """An asset made of a file that is stored already. Raises `UnknownAsset`, `BadInput`, `StoreFull`."""
        manifest = await asyncio.to_thread(_manifest_of_file, self.path(digest), digest, media_type, name)
        if not self.has(digest):  # collected a moment ago
            raise UnknownAsset(f"the store holds no file {digest}")
        with full_said_in_words():
            return self._list(manifest, {})

    def temporary(self) -> Path:
        """A fresh path under `tmp`, on the same disk as the blobs; nothing is created."""
        return self.root / "tmp" / secrets.token_hex(12)

    def take_export(self, key: str, draft: Path, size_bytes: int, files: int) -> None:
        """Keep a finished export; `key` begins with the asset's digest. Raises `StoreFull`, `OSError`."""
        self._make_room(size_bytes)
        self.exports.take_in(key, draft, size_bytes, files)

    # ------------------------------------------------------------------------------------- removing

    def pin(self, digest: str) -> None:
        """Keep an asset or a file while it is being used; counted, undone by `unpin`."""
        self._pins[digest] += 1

    def unpin(self, digest: str) -> None:
        """Undo one `pin`."""
        self._pins[digest] -= 1
        if self._pins[digest] <= 0:
            del self._pins[digest]

    async def collect(self, *, keep: Iterable[str], down_to_bytes: int | None, dry_run: bool = False) -> Collected:
        """Remove files that no asset needs, then exports and then assets, the least recently used first, until
        `down_to_bytes` are left.

        Never touches what `keep` names, what is pinned, what is used or arrives meanwhile, or exports that a client
        was just told of; nothing at all in a `dry_run`.
        """
        async with self._collecting:
            self._placed = set()
            try:
                return await self._collect(set(keep), down_to_bytes, dry_run)
            finally:
                self._placed = None

    async def _collect(self, keep: set[str], down_to_bytes: int | None, dry_run: bool) -> Collected:
        known = await asyncio.to_thread(self._inventory)
        # until the entries are gone nothing is awaited: whatever was in use or used by now is in `safe`
        safe = {*keep, *self._pins, *(self._placed or ())}
        exports = [] if down_to_bytes is None else self._exports_above(known, down_to_bytes)
        victims = self._victims(known, safe, down_to_bytes)
        for digest in () if dry_run else victims:
            self._entry(digest).unlink(missing_ok=True)
            self._manifests.pop(digest, None)
        exports += [key for key in self.exports.without(known.keys() - victims) if key not in exports]
        given_up = self.exports.give_up(exports, dry_run=dry_run)
        needed = {blob for digest, row in known.items() if digest not in victims for blob in row.blobs}
        files = freed = 0
        for index, entry in enumerate(list(self._blobs())):
            if index % 256 == 255:
                await asyncio.sleep(0)
            # asked anew for every file: more may have arrived, or been pinned, while others had their turn
            if entry.name in needed or entry.name in self._pins or entry.name in (self._placed or ()):
                continue
            size = entry.stat().st_size
            files, freed = files + 1, freed + size
            if not dry_run:
                os.unlink(entry.path)
                self.used_bytes -= size
        left = self.used_bytes - (freed if dry_run else 0)
        return Collected(len(victims), files + given_up.files, freed + given_up.size_bytes, left)

    def _exports_above(self, known: Mapping[str, _Listed], down_to_bytes: int) -> list[str]:
        """Which exports may go before any asset has to; what clients were just told of is not among them."""
        sizes = {blob: size for row in known.values() for blob, size in row.blobs.items()}
        return self.exports.oldest(sum(sizes.values()) + self.exports.used_bytes - down_to_bytes)

    def _victims(self, known: Mapping[str, _Listed], safe: set[str], down_to_bytes: int | None) -> set[str]:
        if down_to_bytes is None:
            return set()
        shared = Counter(blob for row in known.values() for blob in row.blobs)
        sizes = {blob: size for row in known.values() for blob, size in row.blobs.items()}
        left = sum(sizes.values())
        victims: set[str] = set()
        for digest in sorted(known, key=lambda digest: (known[digest].used_secs, digest)):
            if left <= down_to_bytes:
                break
            if digest in safe:
                continue
            victims.add(digest)
            for blob, size in known[digest].blobs.items():
                shared[blob] -= 1
                left -= size if shared[blob] == 0 else 0
        return victims

    def _inventory(self) -> dict[str, _Listed]:
        known: dict[str, _Listed] = {}
        for entry in list(os.scandir(self.root / "assets")):
            try:
                manifest = self._read_manifest(entry.name)
                blobs = {part.digest: part.bytes for part in manifest.parts}
                blobs[entry.name] = self._blob(entry.name).stat().st_size
                known[entry.name] = _Listed(entry.stat().st_mtime, blobs)
            except (StoreDamaged, FileNotFoundError):
                # an entry that cannot be read protects nothing, and is the first to go
                known[entry.name] = _Listed(0.0, {})
        return known

    # ------------------------------------------------------------------------------------- the disk

    async def _hashed(self, file: Path) -> str:
        if file.stat().st_size <= INLINE_BYTES:
            return hash_of(file)
        return await asyncio.to_thread(hash_of, file)

    def _list(self, manifest: Manifest, files: Mapping[str, Path]) -> AssetRow:
        if self._placed is not None:  # parts that were stored before are not collected either
            self._placed.update(part.digest for part in manifest.parts)
        data = manifest_bytes(manifest)
        digest = hashlib.sha256(data).hexdigest()
        own = Path(self._blanks.take())
        with removed_on_failure(own):
            # not "wb": ext4 waits for the disk when a truncated file is closed (mount option auto_da_alloc)
            with own.open("r+b", buffering=0) as file:
                file.write(data)
            self._place({**files, digest: own})
        entry = self._entry(digest)
        os.replace(self._blanks.take(), entry)  # it may be there: the asset was made before
        os.utime(entry)
        self._remember(digest, manifest)
        return _row(digest, manifest)

    def _place(self, files: Mapping[str, Path]) -> None:
        """Move files under their hashes, all of them or, when the quota forbids it, none."""
        new = {digest: file for digest, file in files.items() if not self._blob(digest).exists()}
        sizes = {digest: file.stat().st_size for digest, file in new.items()}
        self._make_room(sum(sizes.values()))
        if self._placed is not None:
            self._placed.update(files)
        for digest, file in files.items():
            if digest not in new:
                file.unlink()
                continue
            target = self._blob(digest)
            if self._fsync:
                sync(file)
            try:
                os.rename(file, target)
            except FileNotFoundError:
                target.parent.mkdir(exist_ok=True)
                os.rename(file, target)
            if self._fsync:
                sync(target.parent)
            self.used_bytes += sizes[digest]

    def _make_room(self, wanted_bytes: int) -> None:
        """Let exports go until the quota has room for so much. Raises `StoreFull`."""
        taken_bytes = self.used_bytes + self.exports.used_bytes
        if self.quota_bytes is None or taken_bytes + wanted_bytes <= self.quota_bytes:
            return
        if not self.exports.make_room(taken_bytes + wanted_bytes - self.quota_bytes):
            raise StoreFull(
                f"the store's quota of {self.quota_bytes} bytes is used up: {taken_bytes} bytes are taken and "
                f"{wanted_bytes} more are wanted",
                remedy="remove unused results with `scenecast gc`, or raise the quota",
            )

    def _read_manifest(self, digest: str) -> Manifest:
        try:
            return manifest_from_bytes(self._blob(digest).read_bytes())
        except FileNotFoundError as error:
            raise StoreDamaged(f"the manifest of asset {digest} is missing") from error
        except EnginesError as error:
            raise StoreDamaged(f"the manifest of asset {digest} is damaged: {error}") from error

    def _blob(self, digest: str) -> Path:
        return Path(f"{self._blobs_root}/{_checked(digest)[:2]}/{digest}")

    def _entry(self, digest: str) -> Path:
        return Path(f"{self._assets_root}/{_checked(digest)}")

    def _blobs(self) -> Iterator[os.DirEntry[str]]:
        for fan in list(os.scandir(self.root / "blobs")):
            yield from list(os.scandir(fan.path))

    def _proof(self) -> str:
        path = self.root / "proof"
        if not path.exists():
            # not in tmp, which another command may be emptying that makes the same store at this moment
            draft = self.root / f"proof-{secrets.token_hex(8)}"
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            os.write(descriptor, secrets.token_hex(32).encode())
            os.close(descriptor)
            try:
                os.link(draft, path)
            except FileExistsError:  # the other was first, and has told it already
                pass
            except OSError:  # a disk without hard links
                os.replace(draft, path)
            draft.unlink(missing_ok=True)
        return path.read_text("ascii")


@dataclass(frozen=True)
class _Listed:
    used_secs: float
    blobs: dict[str, int]


def _row(digest: str, manifest: Manifest) -> AssetRow:
    size = sum(part.bytes for part in manifest.parts)
    return AssetRow(digest=digest, kind=manifest.kind.value, name=manifest.name[:256], size_bytes=size)


def _checked(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise UnknownAsset(f"{digest[:80]!r} is not a digest: expected 64 hexadecimal digits")
    return digest


def _manifest_of_file(path: Path, digest: str, media_type: str, name: str) -> Manifest:
    from engines.neutral import manifest_for_file  # loads numpy, which the bridge otherwise does without

    try:
        return manifest_for_file(path, digest, name=name, media_type=media_type)
    except EnginesError as error:
        raise BadInput(error.message, remedy=error.remedy) from error
