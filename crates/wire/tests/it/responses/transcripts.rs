//! Streams and answers as OpenAI documents them, for the modules beside this one.

/// A message with escapes and characters of four bytes, padded events.
pub(super) const TEXT: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","created_at":1741290958,"status":"in_progress","background":false,"error":null,"incomplete_details":null,"instructions":"You are a helpful assistant.","max_output_tokens":null,"model":"gpt-x","output":[],"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":true,"temperature":1.0,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled","usage":null,"user":null,"metadata":{}}}

event: response.in_progress
data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_1","object":"response","created_at":1741290958,"status":"in_progress","error":null,"model":"gpt-x","output":[],"usage":null}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":""}}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"Hé","logprobs":[],"obfuscation":"VxTgNYOYEbfF2U"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"llo 😀","logprobs":[],"obfuscation":"qKYV5AWL"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","sequence_number":10,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"\n\"x\"","logprobs":[],"obfuscation":""}

event: response.output_text.annotation.added
data: {"type":"response.output_text.annotation.added","sequence_number":11,"item_id":"msg_1","output_index":0,"content_index":0,"annotation_index":0,"annotation":{"type":"url_citation","start_index":0,"end_index":2,"url":"https://example.org","title":"x"}}

event: response.output_text.done
data: {"type":"response.output_text.done","sequence_number":12,"item_id":"msg_1","output_index":0,"content_index":0,"text":"Héllo 😀\n\"x\"","logprobs":[]}

event: response.content_part.done
data: {"type":"response.content_part.done","sequence_number":13,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","annotations":[],"logprobs":[],"text":"Héllo 😀\n\"x\""}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":14,"output_index":0,"item":{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Héllo 😀\n\"x\""}]}}

event: response.completed
data: {"type":"response.completed","sequence_number":15,"response":{"id":"resp_1","object":"response","created_at":1741290958,"status":"completed","error":null,"incomplete_details":null,"model":"gpt-x","output":[{"id":"msg_1","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"Héllo 😀\n\"x\""}]}],"parallel_tool_calls":true,"tool_choice":"auto","tools":[],"usage":{"input_tokens":37,"input_tokens_details":{"cached_tokens":8},"output_tokens":11,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":48}}}

"#;

/// Reasoning in two pieces of summary with its encrypted form, then two calls of functions.
pub(super) const TOOLS: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_2","object":"response","created_at":1,"status":"in_progress","model":"gpt-x","output":[]}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"early"}}

event: response.reasoning_summary_part.added
data: {"type":"response.reasoning_summary_part.added","sequence_number":2,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":""}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":3,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":"Let me"}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":4,"item_id":"rs_1","output_index":0,"summary_index":0,"delta":" see"}

event: response.reasoning_summary_text.done
data: {"type":"response.reasoning_summary_text.done","sequence_number":5,"item_id":"rs_1","output_index":0,"summary_index":0,"text":"Let me see"}

event: response.reasoning_summary_part.done
data: {"type":"response.reasoning_summary_part.done","sequence_number":6,"item_id":"rs_1","output_index":0,"summary_index":0,"part":{"type":"summary_text","text":"Let me see"}}

event: response.reasoning_summary_part.added
data: {"type":"response.reasoning_summary_part.added","sequence_number":7,"item_id":"rs_1","output_index":0,"summary_index":1,"part":{"type":"summary_text","text":""}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","sequence_number":8,"item_id":"rs_1","output_index":0,"summary_index":1,"delta":"Now the tools"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":9,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"Let me see"},{"type":"summary_text","text":"Now the tools"}],"encrypted_content":"gAAAAB"}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":10,"output_index":1,"item":{"id":"fc_1","type":"function_call","status":"in_progress","call_id":"call_1","name":"f","arguments":""}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":11,"item_id":"fc_1","output_index":1,"delta":"{\"a\":"}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","sequence_number":12,"item_id":"fc_1","output_index":1,"delta":"1}"}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":13,"item_id":"fc_1","output_index":1,"arguments":"{\"a\":1}"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":14,"output_index":1,"item":{"id":"fc_1","type":"function_call","status":"completed","call_id":"call_1","name":"f","arguments":"{\"a\":1}"}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":15,"output_index":2,"item":{"id":"fc_2","type":"function_call","status":"in_progress","call_id":"call_2","name":"g","arguments":""}}

event: response.function_call_arguments.done
data: {"type":"response.function_call_arguments.done","sequence_number":16,"item_id":"fc_2","output_index":2,"arguments":"{}"}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":17,"output_index":2,"item":{"id":"fc_2","type":"function_call","status":"completed","call_id":"call_2","name":"g","arguments":"{}"}}

event: response.completed
data: {"type":"response.completed","sequence_number":18,"response":{"id":"resp_2","object":"response","created_at":1,"status":"completed","error":null,"incomplete_details":null,"model":"gpt-x","output":[],"usage":{"input_tokens":320,"input_tokens_details":{"cached_tokens":0},"output_tokens":90,"output_tokens_details":{"reasoning_tokens":64},"total_tokens":410}}}

"#;

/// Hidden reasoning, a tool of the provider's own, a refusal, then the filter.
pub(super) const REFUSAL: &str = r#"event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_3","model":"gpt-x","status":"in_progress","output":[]}}

event: response.output_item.done
data: {"type":"response.output_item.done","sequence_number":1,"output_index":0,"item":{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"hidden"}}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":2,"output_index":1,"item":{"id":"ws_1","type":"web_search_call","status":"in_progress"}}

event: response.web_search_call.searching
data: {"type":"response.web_search_call.searching","sequence_number":3,"output_index":1,"item_id":"ws_1"}

event: response.output_item.added
data: {"type":"response.output_item.added","sequence_number":4,"output_index":2,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}

event: response.content_part.added
data: {"type":"response.content_part.added","sequence_number":5,"item_id":"msg_1","output_index":2,"content_index":0,"part":{"type":"refusal","refusal":""}}

event: response.refusal.delta
data: {"type":"response.refusal.delta","sequence_number":6,"item_id":"msg_1","output_index":2,"content_index":0,"delta":"I would "}

event: response.refusal.delta
data: {"type":"response.refusal.delta","sequence_number":7,"item_id":"msg_1","output_index":2,"content_index":0,"delta":"rather not."}

event: response.refusal.done
data: {"type":"response.refusal.done","sequence_number":8,"item_id":"msg_1","output_index":2,"content_index":0,"refusal":"I would rather not."}

event: response.incomplete
data: {"type":"response.incomplete","sequence_number":9,"response":{"id":"resp_3","model":"gpt-x","status":"incomplete","incomplete_details":{"reason":"content_filter"},"output":[],"usage":{"input_tokens":5,"output_tokens":4,"total_tokens":9}}}

"#;

pub(super) const ALL: [&str; 3] = [TEXT, TOOLS, REFUSAL];

/// A whole answer with everything that one may hold.
pub(super) const WHOLE: &str = r#"{"id":"resp_68","object":"response","created_at":1741476777,"status":"completed","error":null,"incomplete_details":null,
  "instructions":null,"max_output_tokens":null,"model":"gpt-x","output":[
    {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"Hm."}],"encrypted_content":"gAAAAB"},
    {"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":"hidden"},
    {"type":"reasoning","id":"rs_3","summary":[]},
    {"type":"web_search_call","id":"ws_1","status":"completed"},
    {"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[
      {"type":"output_text","text":"Hello","annotations":[{"type":"url_citation","start_index":0,"end_index":2,"url":"https://example.org","title":"x"}],
       "logprobs":[{"token":"Hello","bytes":[72],"logprob":-0.1,"top_logprobs":[]}]}]},
    {"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{\"a\":12345678901234567890123}","status":"completed"},
    {"type":"function_call","id":"fc_2","call_id":"call_2","name":"g","arguments":"not json","status":"completed"}],
  "parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":"high","summary":null},"store":true,"temperature":1.0,
  "text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":1.0,"truncation":"disabled",
  "usage":{"input_tokens":328,"input_tokens_details":{"cached_tokens":20,"cache_write_tokens":3},"output_tokens":52,"output_tokens_details":{"reasoning_tokens":30},"total_tokens":380},
  "user":null,"metadata":{}}"#;
