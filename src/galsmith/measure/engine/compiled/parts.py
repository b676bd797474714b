"""A function that others call is a part of them: it is lowered once, and optimized in each kernel that holds it.

numba by itself optimizes every function, makes machine code of it and wraps it for calls from Python; what it calls is
linked into it and optimized again, at every level. Here all that is done for kernels alone, the functions that Python
calls: a kernel takes in all its parts, and theirs, as they were lowered. The same function may be both.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from llvmlite.binding import parse_assembly
from numba.core import compiler, ir, sigutils, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler, CompileResult
from numba.core.compiler_machinery import FunctionPass, register_pass
from numba.core.dispatcher import _FunctionCompiler
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NopythonRewrites

# Expressions that give an array which their operands own: no new one, and none that a call hands over.
_VIEWS = {
    "getattr",
    "static_getattr",
    "getitem",
    "static_getitem",
    "typed_getitem",
    "build_tuple",
    "exhaust_iter",
    "getiter",
    "iternext",
    "pair_first",
    "pair_second",
    "cast",
    "phi",
    "null",
}


class _Library(JITCodeLibrary):
    """Code whose functions are simplified one by one as they come."""

    def _optimize_functions(self, ll_module: Any) -> None:
        """Do as numba does, but make the passes once a module, and leave out the many functions that are only named."""
        ll_module.data_layout = self._codegen._data_layout
        passes, builder = self._codegen._function_pass_manager()
        for function in ll_module.functions:
            if not function.is_declaration:
                passes.run(function, builder)


class PartLibrary(_Library):
    """Code of a part as it was lowered; what it calls is named by it, not linked into it."""

    def finalize(self) -> None:
        """Leave it as it is."""
        self._finalized = True


class KernelLibrary(_Library):
    """Code of a kernel with all parts below it, optimized as one."""

    def finalize(self) -> None:
        """Link the parts of parts too."""
        self._linking_libraries = _with_parts_below(self._linking_libraries)
        super().finalize()

    def serialize_using_object_code(self) -> tuple[str, str, tuple[bytes, bytes]]:
        """Keep machine code, and of the rest the names alone: nothing links a kernel, and reading it takes longer."""
        self._ensure_finalized()
        names = [
            function.name
            for function in self._final_module.functions
            if not function.is_declaration and function.linkage.name == "external"
        ]
        named = parse_assembly("\n".join(f'define void @"{name}"() {{ ret void }}' for name in names))
        return self.name, "object", (self._get_compiled_object(), named.as_bitcode())

    def _optimize_final_module(self) -> None:
        """Hide what nobody else can call, so that what is inlined or not used is dropped."""
        for function in self._final_module.functions:
            if not function.is_declaration and function.linkage.name == "linkonce_odr":
                function.linkage = "internal"
        super()._optimize_final_module()


@register_pass(mutates_CFG=False, analysis_only=False)
class BorrowArrays(FunctionPass):
    """Let a part that makes no array, and is given none by what it calls, borrow those of its arguments uncounted.

    Its caller holds them until it returns; counting them up and down costs more than much of what such parts do.
    """

    _name = "borrow_arrays"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Turn the counting of references off where all arrays are borrowed."""
        if state.flags.no_compile and _borrows_only(state):
            state.flags.nrt = False
            state.targetctx = state.targetctx.subtarget(enable_nrt=False)
        return False


class _Pipeline(Compiler):
    """numba's own, and one step more."""

    def define_pipelines(self) -> list[Any]:
        """Add it before code is made."""
        (passes,) = super().define_pipelines()
        passes.add_pass_after(BorrowArrays, NopythonRewrites)
        passes.finalize()
        return [passes]


class _Compiler(_FunctionCompiler):
    """Compiles into a library of its own kind."""

    library_class: type[JITCodeLibrary] = KernelLibrary

    def _compile_core(self, args: Any, return_type: Any) -> CompileResult:
        flags = compiler.Flags()
        self.targetdescr.options.parse_as_flags(flags, self.targetoptions)
        context = self.targetdescr.target_context
        library = self.library_class(context.codegen(), self.py_func.__qualname__)
        library.enable_object_caching()
        return compiler.compile_extra(
            self.targetdescr.typing_context,
            context,
            self.py_func,
            args=args,
            return_type=return_type,
            flags=self._customize_flags(flags),
            locals=self.locals,
            library=library,
            pipeline_class=self.pipeline_class,
        )


class _PartCompiler(_Compiler):
    """Lowers, and does no more."""

    library_class = PartLibrary

    def _customize_flags(self, flags: Any) -> Any:
        flags.no_compile = True
        flags.no_cpython_wrapper = True
        return flags


class Part(CPUDispatcher):
    """A function as other compiled functions call it."""

    def __init__(self, py_func: Callable[..., Any], targetoptions: dict[str, Any]) -> None:
        super().__init__(py_func, targetoptions=targetoptions)
        self._compiler = _PartCompiler(py_func, self.targetdescr, targetoptions, {}, _Pipeline)

    def __call__(self, *arguments: Any) -> None:
        """Refuse: no machine code is made of a part alone."""
        raise TypeError(f"{self.py_func.__name__} is here a part of kernels; call the function itself")

    def compile(self, sig: Any) -> Any:
        """Compile it for the types of arguments, whatever their values: constants would make it anew for each."""
        arguments, _ = sigutils.normalize_signature(sig)
        return super().compile(tuple(_without_value(argument) for argument in arguments))

    def add_overload(self, cres: CompileResult) -> None:
        """Make it known to compiled code by a name of its own: there is no entry for Python."""
        known = cres._replace(entry_point=object())
        if self.targetoptions.get("fastmath"):
            # alone, so that the order of additions does not hang on who calls
            known.library.get_function(known.fndesc.llvm_func_name).add_function_attribute("noinline")
        self.targetctx.insert_user_function(known.entry_point, known.fndesc, [known.library])
        self.overloads[tuple(known.signature.args)] = known


class Kernel(CPUDispatcher):
    """A function as Python calls it; compiled code that names it calls its part."""

    def __init__(self, py_func: Callable[..., Any], targetoptions: dict[str, Any]) -> None:
        super().__init__(py_func, targetoptions=targetoptions)
        self._compiler = _Compiler(py_func, self.targetdescr, targetoptions, {}, _Pipeline)

    @cached_property
    def part(self) -> Part:
        """The function as compiled code calls it; made when that is first wanted, as most never are."""
        return Part(self.py_func, self.targetoptions)

    @property
    def _numba_type_(self) -> Any:
        return self.part._numba_type_

    def compile(self, sig: Any) -> Any:
        """Load it from the cache, or compile it into it."""
        if self._cache.cache_path is None:
            self.enable_caching()
        return super().compile(sig)


def _without_value(kind: types.Type) -> types.Type:
    """Type of a constant without its value; also inside tuples."""
    if isinstance(kind, types.BaseTuple) and not isinstance(kind, types.BaseNamedTuple):
        return types.BaseTuple.from_types([_without_value(inside) for inside in kind])
    return types.unliteral(kind)


def _borrows_only(state: Any) -> bool:
    """Whether every array of a function, also inside tuples, is an argument or a view of one, and it returns none."""
    if _holds_array(state, state.return_type):
        return False
    for block in state.func_ir.blocks.values():
        for assignment in block.find_insts(ir.Assign):
            value = assignment.value
            if not isinstance(value, ir.Expr) or not _holds_array(
                state, state.typemap[assignment.target.name]
            ):
                continue
            if value.op not in _VIEWS or _picks_pixels(state, value):
                return False
    return True


def _picks_pixels(state: Any, value: ir.Expr) -> bool:
    """Whether an index is an array, so that a new one is made."""
    index = getattr(value, "index", None) if value.op in {"getitem", "typed_getitem"} else None
    return index is not None and _holds_array(state, state.typemap[index.name])


def _holds_array(state: Any, kind: types.Type) -> bool:
    """Whether values of a type are, or hold, arrays whose references are counted."""
    return bool(state.targetctx.data_model_manager[kind].contains_nrt_meminfo())


def _with_parts_below(libraries: list[JITCodeLibrary]) -> list[JITCodeLibrary]:
    """Libraries and those that they name, each once."""
    found = dict.fromkeys(libraries)
    left = list(libraries)
    while left:
        library = left.pop()
        if isinstance(library, PartLibrary):
            new = [below for below in library._linking_libraries if below not in found]
            found |= dict.fromkeys(new)
            left += new
    return list(found)
