# Stands in for the module JSON of Elixir 1.18, for older versions. It uses jiffy.
unless Code.ensure_loaded?(JSON) do
  defprotocol JSON.Encoder do
    @fallback_to_any true
    def to_term(value)
  end

  defimpl JSON.Encoder, for: Any do
    defmacro __deriving__(module, _struct, _options) do
      quote do
        defimpl JSON.Encoder, for: unquote(module) do
          def to_term(value), do: value |> Map.from_struct() |> JSON.Encoder.to_term()
        end
      end
    end

    def to_term(value) when is_map(value) do
      Map.new(value, fn {key, item} -> {to_string(key), JSON.Encoder.to_term(item)} end)
    end

    def to_term(value) when is_list(value), do: Enum.map(value, &JSON.Encoder.to_term/1)
    def to_term(nil), do: :null
    def to_term(value), do: value
  end

  defmodule JSON do
    def encode!(value) do
      value |> JSON.Encoder.to_term() |> :jiffy.encode([:use_nil]) |> IO.iodata_to_binary()
    end

    def decode(text), do: {:ok, :jiffy.decode(text, [:return_maps, :use_nil])}
  end
end
