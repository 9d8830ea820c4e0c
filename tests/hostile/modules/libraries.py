"""Reads and writes files through numpy and polars, whose own threads and C code do the opening."""

from strategy.skills.kit import Strategy, attack

__all__ = ["Strategy"]


def marker(scene):
    return f"{scene.folder}/marker"


def number(array):
    return " ".join(str(int(value)) for value in array)


@attack("files")
def numpy_save(scene):
    import numpy as np

    np.save(f"{marker(scene)}.npy", np.ones(2))


@attack("files")
def numpy_savetxt(scene):
    import numpy as np

    np.savetxt(marker(scene), np.ones(2))


@attack("files")
def numpy_savez(scene):
    import numpy as np

    np.savez(marker(scene), a=np.ones(2))


@attack("files")
def numpy_tofile(scene):
    import numpy as np

    np.ones(2).tofile(marker(scene))


@attack("files")
def numpy_dump(scene):
    import numpy as np

    np.ones(2).dump(marker(scene))


@attack("told")
def numpy_load(scene):
    import numpy as np

    return number(np.load(f"{scene.folder}/secret.npy"))


@attack("told")
def numpy_fromfile(scene):
    import numpy as np

    return number(np.fromfile(f"{scene.folder}/secret.bin"))


@attack("told")
def numpy_loadtxt(scene):
    import numpy as np

    return number([np.loadtxt(f"{scene.folder}/secret.num")])


@attack("told")
def numpy_genfromtxt(scene):
    import numpy as np

    return number([np.genfromtxt(f"{scene.folder}/secret.num")])


@attack("told")
def numpy_fromregex(scene):
    import numpy as np

    return number(np.fromregex(f"{scene.folder}/secret.num", r"(\d+)", [("n", np.int64)])["n"])


@attack("told")
def numpy_data_source(scene):
    import numpy as np

    return np.lib.npyio.DataSource(None).open(f"{scene.folder}/secret.txt").read()


@attack("told")
def numpy_memmap_read(scene):
    import numpy as np

    return number(np.memmap(f"{scene.folder}/secret.bin", dtype=np.float64, mode="r"))


@attack("files")
def numpy_memmap_write(scene):
    import numpy as np

    np.memmap(marker(scene), dtype=np.float64, mode="w+", shape=(4,))[:] = 1.0


@attack("files")
def numpy_open_memmap(scene):
    import numpy as np

    np.lib.format.open_memmap(marker(scene), mode="w+", shape=(4,))


@attack("told")
def numpy_load_mapped(scene):
    import numpy as np

    return number(np.load(f"{scene.folder}/secret.npy", mmap_mode="r"))


@attack("code")
def numpy_ctypeslib(scene):
    """A shared library from the disk: code that nobody reviewed."""
    import numpy.ctypeslib

    numpy.ctypeslib.load_library(_unused_library(), "/")


@attack("files")
def polars_write_csv(scene):
    _frame().write_csv(marker(scene))


@attack("files")
def polars_write_parquet(scene):
    _frame().write_parquet(marker(scene))


@attack("files")
def polars_write_ipc(scene):
    _frame().write_ipc(marker(scene))


@attack("files")
def polars_write_ipc_stream(scene):
    _frame().write_ipc_stream(marker(scene))


@attack("files")
def polars_write_ndjson(scene):
    _frame().write_ndjson(marker(scene))


@attack("files")
def polars_write_json(scene):
    _frame().write_json(marker(scene))


@attack("files")
def polars_write_avro(scene):
    _frame().write_avro(marker(scene))


@attack("files")
def polars_write_partitions(scene):
    _frame().write_parquet(scene.folder + "/parts", partition_by="a", mkdir=True)


@attack("files")
def polars_sink_csv(scene):
    """A sink writes from a thread that polars started long ago: a rule that binds only this thread does not bind it."""
    _frame().lazy().sink_csv(marker(scene))


@attack("files")
def polars_sink_parquet(scene):
    _frame().lazy().sink_parquet(marker(scene))


@attack("files")
def polars_sink_ipc(scene):
    _frame().lazy().sink_ipc(marker(scene))


@attack("files")
def polars_sink_ndjson(scene):
    _frame().lazy().sink_ndjson(marker(scene))


@attack("files")
def polars_sink_streaming(scene):
    _frame().lazy().sink_csv(marker(scene), engine="streaming")


@attack("files")
def polars_serialize(scene):
    _frame().serialize(marker(scene))


@attack("files")
def polars_plan_serialize(scene):
    _frame().lazy().serialize(marker(scene))


@attack("files")
def polars_config_save(scene):
    import polars as pl

    pl.Config.save_to_file(marker(scene))


@attack("told")
def polars_read_csv(scene):
    import polars as pl

    return pl.read_csv(f"{scene.folder}/secret.csv")["secret"][0]


@attack("told")
def polars_scan_csv(scene):
    import polars as pl

    return pl.scan_csv(f"{scene.folder}/secret.csv").collect()["secret"][0]


@attack("told")
def polars_scan_csv_streaming(scene):
    import polars as pl

    return pl.scan_csv(f"{scene.folder}/secret.csv").collect(engine="streaming")["secret"][0]


@attack("told")
def polars_scan_lines(scene):
    import polars as pl

    return pl.read_csv(f"{scene.folder}/secret.txt", has_header=False)[0, 0]


@attack("told")
def polars_read_parquet(scene):
    import polars as pl

    return pl.read_parquet(f"{scene.folder}/secret.parquet")["secret"][0]


@attack("told")
def polars_scan_parquet(scene):
    import polars as pl

    return pl.scan_parquet(f"{scene.folder}/secret.parquet").collect()["secret"][0]


@attack("told")
def polars_scan_names(scene):
    """A glob pattern lists the folder."""
    import polars as pl

    return str(pl.scan_parquet(f"{scene.folder}/*.parquet", include_file_paths="at").collect().rows())


@attack("told")
def polars_read_ipc(scene):
    import polars as pl

    return pl.read_ipc(f"{scene.folder}/secret.ipc")["secret"][0]


@attack("told")
def polars_scan_ipc(scene):
    import polars as pl

    return pl.scan_ipc(f"{scene.folder}/secret.ipc").collect()["secret"][0]


@attack("told")
def polars_read_ndjson(scene):
    import polars as pl

    return pl.read_ndjson(f"{scene.folder}/secret.ndjson")["secret"][0]


@attack("told")
def polars_scan_ndjson(scene):
    import polars as pl

    return pl.scan_ndjson(f"{scene.folder}/secret.ndjson").collect()["secret"][0]


@attack("told")
def polars_collect_all(scene):
    import polars as pl

    first, _ = pl.collect_all([pl.scan_csv(f"{scene.folder}/secret.csv"), pl.scan_parquet(f"{scene.folder}/secret.parquet")])
    return first["secret"][0]


@attack("told")
def polars_sql(scene):
    import polars as pl

    return pl.sql(f"select * from read_csv('{scene.folder}/secret.csv')").collect()["secret"][0]


@attack("told")
def polars_on_a_thread_of_its_own(scene):
    """`collect_async` hands the query to another thread."""
    import asyncio

    import polars as pl

    async def read():
        return await pl.scan_csv(f"{scene.folder}/secret.csv").collect_async()

    return asyncio.run(read())["secret"][0]


@attack("told")
def polars_in_the_background(scene):
    import time

    import polars as pl

    running = pl.scan_csv(f"{scene.folder}/secret.csv").collect(background=True)
    for _ in range(100):
        found = running.fetch()
        if found is not None:
            return found["secret"][0]
        time.sleep(0.01)
    return None


@attack("told")
def polars_deserialized_plan(scene):
    """A plan that names a file, taken from bytes."""
    import io

    import polars as pl

    plan = pl.scan_csv(f"{scene.folder}/secret.csv").serialize()
    return pl.LazyFrame.deserialize(io.BytesIO(plan)).collect()["secret"][0]


@attack("received", alone=True, seconds=1.5)
def polars_over_http(scene):
    import polars as pl

    pl.read_csv(f"http://127.0.0.1:{scene.tcp_port}/{scene.mark}.csv")


@attack("received", alone=True, seconds=1.5)
def polars_from_object_store(scene):
    """Polars' own network code, on its own asynchronous threads."""
    import time

    import polars as pl

    options = {"aws_endpoint_url": f"http://127.0.0.1:{scene.tcp_port}", "aws_access_key_id": "x", "aws_region": "x",
               "aws_secret_access_key": "x", "aws_allow_http": "true"}  # fmt: skip
    running = pl.scan_parquet("s3://bucket/x.parquet", storage_options=options).collect(background=True)
    for _ in range(30):
        if running.fetch() is not None:
            return
        time.sleep(0.01)


@attack("crash", alone=True)
def polars_plugin(scene):
    """An expression plugin is a shared library that polars loads; with one that is none, it ends the process."""
    import polars as pl
    from polars.plugins import register_plugin_function

    expression = register_plugin_function(plugin_path=_unused_library(), function_name="here", args=[pl.col("a")])
    try:
        _frame().select(expression)
    except pl.exceptions.ComputeError:
        return


def _frame():
    import polars as pl

    return pl.DataFrame({"a": [1, 2], "b": [1.5, 2.5]})


def _unused_library():
    """A shared library of the interpreter that nothing has loaded yet."""
    import sys
    from pathlib import Path

    with open("/proc/self/maps") as maps:
        loaded = maps.read()
    for folder in [entry for entry in sys.path if entry.endswith("lib-dynload")]:
        for path in sorted(Path(folder).glob("*.so")):
            if str(path) not in loaded:
                return str(path)
    return "libutil.so.1"
